import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { forget, watch } from "../../scripts/lib/guard.mjs";
import type { Builds } from "./build.ts";
import { dialogueFile } from "./dialogue-data.ts";
import { now, type Absence } from "./records.ts";

/** A process that runs `hebra worker`. */
export interface WorkerProcess {
  readonly pid: number;
  /** Resolves when it has ended, however. */
  readonly ended: Promise<unknown>;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** What its probe answers. */
  ready(): Promise<{ ready: boolean; bus: string }>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
}

/** Starts and ends workers. */
export interface Workers {
  start(release?: "present" | "next"): Promise<WorkerProcess>;
  /** Ends all that are left. */
  stopAll(): Promise<void>;
}

export function createWorkers(options: {
  builds: Builds;
  config: string;
  log: string;
  concurrency: number;
  absences: Absence[];
  verbose: boolean;
}): Workers {
  const { builds, config, log, concurrency, absences, verbose } = options;
  const alive = new Set<ChildProcess>();

  async function launch(version: "present" | "next"): Promise<{ child: ChildProcess; probes: number }> {
    const { command, app } = await builds.release(version);
    const args = [
      command,
      "worker",
      "--config",
      config,
      "--app",
      app,
      "--concurrency",
      String(concurrency),
      "--probes",
      "0",
      "--json",
    ];
    const env = { ...process.env, CHAOS_LOG: log, CHAOS_DIALOGUES: dialogueFile };
    // A group of its own, which is killed with this process however that ends.
    const child = spawn(process.execPath, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    alive.add(child);
    if (child.pid !== undefined) watch(child.pid);
    child.once("exit", () => {
      alive.delete(child);
      if (child.pid !== undefined) forget(child.pid);
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("utf8")).slice(-4_000);
      if (verbose) process.stderr.write(chunk);
    });
    const line = await Promise.race([
      once(createInterface(child.stdout), "line").then(([text]) => String(text)),
      once(child, "exit").then(() => ""),
    ]);
    const started = /^\{.*\}$/.test(line) ? (JSON.parse(line) as { started?: string; probes?: number }) : {};
    if (started.started !== "worker" || started.probes === undefined)
      throw new Error(`A worker did not start: ${line} ${said}`);
    return { child, probes: started.probes };
  }

  return {
    async start(version = "present") {
      const { child, probes } = await launch(version);
      const pid = child.pid!;
      const exit = once(child, "exit") as Promise<[number | null]>;
      return {
        pid,
        ended: exit,
        async kill() {
          absences.push({ pid, from: now(), to: Infinity });
          child.kill("SIGKILL");
          await exit;
        },
        pause() {
          absences.push({ pid, from: now(), to: Infinity });
          child.kill("SIGSTOP");
        },
        resume() {
          absences.findLast((absence) => absence.pid === pid)!.to = now();
          child.kill("SIGCONT");
        },
        async ready() {
          const response = await fetch(`http://127.0.0.1:${probes}/readyz`, { signal: AbortSignal.timeout(10_000) });
          const { ready, checks } = (await response.json()) as { ready: boolean; checks: { bus: { detail: string } } };
          if (ready !== response.ok)
            throw new Error(`The probe says ready: ${ready} with the status ${response.status}.`);
          return { ready, bus: checks.bus.detail };
        },
        async stop() {
          child.kill("SIGTERM");
          const [code] = await exit;
          return code;
        },
      };
    },
    async stopAll() {
      await Promise.all(
        [...alive].map(async (child) => {
          const exit = once(child, "exit");
          child.kill("SIGCONT");
          child.kill("SIGKILL");
          await exit;
        }),
      );
    },
  };
}
