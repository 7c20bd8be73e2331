import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

/** Why the tests that need a server of their own are left out, or `undefined`. */
export const withoutRedisServer = (() => {
  try {
    execFileSync("redis-server", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "redis-server is not on PATH";
  }
})();

/** A throw-away server on a free loopback port. */
export interface TestRedis {
  readonly port: number;
  readonly url: string;
  /** A plain connection to it. */
  readonly admin: Redis;
  /** What runs now: another one after a restart. */
  process(): ChildProcess;
  /** Ends the process as a crash does; what it wrote to disk stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port and directory. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Arguments of a server that loses nothing by a kill. */
export const everyWrite: readonly string[] = ["--appendonly", "yes", "--appendfsync", "always"];

/** Starts a server that keeps nothing on disk; more arguments as on the command line. */
export async function startRedis(args: readonly string[] = []): Promise<TestRedis> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "hebra-redis-"));
  const launch = () =>
    spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory, ...args], {
      stdio: "ignore",
    });
  let server = launch();
  const admin = new Redis(port, "127.0.0.1", { retryStrategy: () => 20, maxRetriesPerRequest: null });
  admin.on("error", () => {});
  await admin.ping();
  const kill = async () => {
    const exited = server.exitCode === null && server.signalCode === null ? once(server, "exit") : undefined;
    server.kill("SIGKILL");
    await exited;
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    admin,
    process: () => server,
    kill,
    async restart() {
      server = launch();
      await admin.ping();
    },
    async stop() {
      admin.disconnect();
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Three masters without replicas, each with a third of the slots. */
export async function startCluster(): Promise<{ nodes: TestRedis[]; stop(): Promise<void> }> {
  const nodes = await Promise.all(
    [0, 1, 2].map(() => startRedis(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"])),
  );
  for (const [i, { admin }] of nodes.entries()) {
    await admin.call("CLUSTER", "ADDSLOTSRANGE", [0, 5_461, 10_923][i]!, [5_460, 10_922, 16_383][i]!);
    await admin.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
  }
  for (const { port } of nodes.slice(1)) await nodes[0]!.admin.call("CLUSTER", "MEET", "127.0.0.1", port);
  const joined = async ({ admin }: TestRedis) => {
    const info = String(await admin.call("CLUSTER", "INFO"));
    return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3");
  };
  await eventually(
    async () => (await Promise.all(nodes.map(joined))).every(Boolean),
    "the nodes form a cluster",
    20_000,
  );
  return { nodes, stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))) };
}

/** A server and a sentinel that watches it under the name `main`. */
export async function startSentinel(): Promise<{
  master: TestRedis;
  sentinel: { host: string; port: number };
  name: string;
  stop(): Promise<void>;
}> {
  const master = await startRedis();
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "hebra-sentinel-"));
  const config = join(directory, "sentinel.conf");
  // A sentinel writes what it learns into its own configuration.
  writeFileSync(
    config,
    `port ${port}\nbind 127.0.0.1\ndir ${directory}\nsentinel monitor main 127.0.0.1 ${master.port} 1\n`,
  );
  const process = spawn("redis-server", [config, "--sentinel"], { stdio: "ignore" });
  const admin = new Redis(port, "127.0.0.1", { retryStrategy: () => 20, maxRetriesPerRequest: null });
  admin.on("error", () => {});
  const known = async () =>
    String(await admin.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")).includes(String(master.port));
  await eventually(known, "the sentinel knows its master", 20_000);
  return {
    master,
    sentinel: { host: "127.0.0.1", port },
    name: "main",
    async stop() {
      admin.disconnect();
      const exited = once(process, "exit");
      process.kill("SIGKILL");
      await exited;
      await master.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
