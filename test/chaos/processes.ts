import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { now, type Absence } from "./records.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A Redis of our own, that can be killed and started again with what is on its disk. */
export async function startRedis(directory: string) {
  const port = await freePort();
  let child: ChildProcess | undefined;
  const admin = new Redis({ port, host: "127.0.0.1", lazyConnect: true, maxRetriesPerRequest: null });
  admin.on("error", () => {});
  async function start(): Promise<void> {
    child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""], { stdio: "ignore" });
    await admin.ping();
  }
  async function kill(): Promise<void> {
    child!.kill("SIGKILL");
    await once(child!, "exit");
  }
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    admin,
    start,
    kill,
    async stop() {
      admin.disconnect();
      child?.kill("SIGTERM");
      if (child !== undefined && child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

export type ChaosRedis = Awaited<ReturnType<typeof startRedis>>;

/** A process that runs `hebra worker`. */
export interface WorkerProcess {
  readonly pid: number;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
}

export function startWorkers(options: { config: string; log: string; absences: Absence[]; verbose: boolean }) {
  const { config, log, absences, verbose } = options;
  const alive = new Set<ChildProcess>();
  return {
    async start(): Promise<WorkerProcess> {
      const args = ["--conditions=@hebra/source", "--import", "tsx", "packages/hebra/src/cli/main.ts", "worker", "--config", config, "--app", "test/chaos/app.ts", "--concurrency", "25", "--json"];
      const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, CHAOS_LOG: log }, stdio: ["ignore", "pipe", verbose ? "inherit" : "ignore"] });
      alive.add(child);
      child.once("exit", () => alive.delete(child));
      const [line] = (await Promise.race([once(child.stdout!, "data"), once(child, "exit").then(() => ["{}"])])) as [Buffer | string];
      if (!String(line).includes("started")) throw new Error(`A worker did not start: ${String(line)}`);
      const pid = child.pid!;
      return {
        pid,
        async kill() {
          absences.push({ pid, from: now(), to: Infinity });
          child.kill("SIGKILL");
          await once(child, "exit");
        },
        pause() {
          absences.push({ pid, from: now(), to: Infinity });
          child.kill("SIGSTOP");
        },
        resume() {
          absences.findLast((absence) => absence.pid === pid)!.to = now();
          child.kill("SIGCONT");
        },
        async stop() {
          child.kill("SIGTERM");
          const [code] = (await once(child, "exit")) as [number | null];
          return code;
        },
      };
    },
    stopAll() {
      for (const child of alive) {
        child.kill("SIGCONT");
        child.kill("SIGKILL");
      }
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

