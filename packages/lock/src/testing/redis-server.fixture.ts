import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

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
  readonly process: ChildProcess;
  /** A plain connection to it. */
  readonly admin: Redis;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  // The port of the cluster bus is 10 000 higher and must exist.
  return port < 55_000 ? port : freePort();
}

/** Starts a server; more arguments as on the command line. */
export async function startRedis(args: readonly string[] = []): Promise<TestRedis> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "hebra-lock-"));
  const server = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory, ...args], { stdio: "ignore" });
  const admin = new Redis(port, "127.0.0.1", { retryStrategy: () => 20, maxRetriesPerRequest: null });
  admin.on("error", () => {});
  await admin.ping();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    process: server,
    admin,
    async stop() {
      admin.disconnect();
      const exited = server.exitCode === null && server.signalCode === null ? once(server, "exit") : undefined;
      server.kill("SIGKILL");
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Waits for something that happens by itself on a real server. */
export async function eventually(holds: () => boolean | Promise<boolean>, what: string, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
