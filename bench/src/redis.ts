import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

/** What a stretch of work cost the server. */
export interface ServerCost {
  /** Processor time in microseconds, of user and system: reading and writing sockets included. */
  cpuMicroseconds: number;
  /** Commands, those inside scripts included. */
  commands: number;
  /** Reads of client sockets: one a request, as long as each waits for the answer to the one before. */
  reads: number;
}

/** A server for benches: on a free loopback port, nothing written to disk. */
export interface BenchRedis {
  readonly url: string;
  readonly port: number;
  readonly admin: Redis;
  /** Does the work and says what it cost the server. */
  cost(work: () => Promise<void>): Promise<ServerCost>;
  stop(): Promise<void>;
}

export async function startBenchRedis(args: readonly string[] = []): Promise<BenchRedis> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  const directory = mkdtempSync(join(tmpdir(), "hebra-bench-"));
  const server = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory, ...args],
    { stdio: "ignore" },
  );
  const failed = once(server, "error").then(([error]) => Promise.reject(error as Error));
  failed.catch(() => {});
  const admin = new Redis(port, "127.0.0.1", { retryStrategy: () => 20, maxRetriesPerRequest: null });
  admin.on("error", () => {});
  await Promise.race([admin.ping(), failed]);

  async function counters(): Promise<ServerCost> {
    const cpu = await admin.info("cpu");
    const field = (name: string, text: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(text)?.[1] ?? 0);
    const stats = await admin.info("commandstats");
    let commands = 0;
    for (const [, calls] of stats.matchAll(/^cmdstat_(?!info\b)[^:]+:calls=(\d+)/gm)) commands += Number(calls);
    const reads = field("total_reads_processed", await admin.info("stats"));
    return { cpuMicroseconds: (field("used_cpu_user", cpu) + field("used_cpu_sys", cpu)) * 1e6, commands, reads };
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    admin,
    async cost(work) {
      const before = await counters();
      await work();
      const after = await counters();
      return {
        cpuMicroseconds: after.cpuMicroseconds - before.cpuMicroseconds,
        commands: after.commands - before.commands,
        // Without those of the counters themselves.
        reads: after.reads - before.reads - 3,
      };
    },
    async stop() {
      admin.disconnect();
      const gone = once(server, "exit");
      server.kill("SIGKILL");
      await gone;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
