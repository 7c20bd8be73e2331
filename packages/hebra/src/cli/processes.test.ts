import { eventually } from "@hebra/test-servers/eventually";
import { everyWrite, startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { app, PATIENCE, workbench } from "./testing/spawn.fixture.ts";

const TIME = 180_000;
const bench = workbench();
afterAll(() => bench.close());

const post = (port: number, path: string, body: object) =>
  fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const probe = async (port: number, path: string) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return {
    status: response.status,
    body: (await response.json()) as {
      ready: boolean;
      live: boolean;
      checks: Record<string, { ok: boolean; detail?: string }>;
    },
  };
};

describe("hebra gateway, all in one process", () => {
  it(
    "serves messages and probes, finishes what it holds on SIGTERM, and ends with 0",
    async () => {
      const config = bench.config({ store: { backend: "memory" } });
      const gateway = bench.run([
        "gateway",
        "--config",
        config,
        "--app",
        app,
        "--port",
        "0",
        "--probes",
        "0",
        "--json",
      ]);
      const { port, probes } = await gateway.started();
      const answered = await post(port, "/messages?wait=60000", { id: "1", chat: "ana", text: "hello" });
      expect([answered.status, ((await answered.json()) as { reply: { text: string } }).reply.text]).toEqual([
        200,
        "echo: hello",
      ]);
      expect(await probe(probes, "/healthz")).toMatchObject({ status: 200, body: { live: true } });
      expect(await probe(probes, "/readyz")).toMatchObject({ status: 200, body: { ready: true } });
      expect((await probe(probes, "/stats")).body).toMatchObject({ inbound: { depth: 0 } });
      // A channel of the app with a handler of its own answers below its name.
      expect((await post(port, "/log", { id: "1", chat: "b", text: "hello" })).status).toBe(202);
      await eventually(
        () => bench.noted().some(({ event, session }) => event === "sent" && session === "log:b"),
        "the app's own channel sends",
        PATIENCE,
      );

      const late = post(port, "/messages?wait=60000", { id: "2", chat: "ana", text: "slow|1500" });
      await eventually(
        () => bench.noted().some(({ event, text }) => event === "start" && text === "slow"),
        "the turn begins",
        PATIENCE,
      );
      gateway.child.kill("SIGTERM");
      expect(((await (await late).json()) as { reply: { text: string } }).reply.text).toBe("echo: slow");
      expect(await gateway.exit).toEqual({ code: 0, signal: null });
      expect(JSON.parse(gateway.out().trim().split("\n").at(-1)!)).toMatchObject({ stopped: "gateway" });
    },
    TIME,
  );

  it(
    "gives up at once on a second signal",
    async () => {
      const config = bench.config({ store: { backend: "memory" } });
      const gateway = bench.run(["gateway", "--config", config, "--app", app, "--port", "0", "--json"]);
      const { port } = await gateway.started();
      await post(port, "/messages", { id: "1", chat: "ana", text: "forever|600000" });
      await eventually(
        () => bench.noted().some(({ event, text }) => event === "start" && text === "forever"),
        "the turn begins",
        PATIENCE,
      );
      gateway.child.kill("SIGTERM");
      // It drains: what comes in now is refused.
      await eventually(
        async () => (await post(port, "/messages", { id: "2", chat: "ben", text: "hello" })).status === 503,
        "it drains",
        PATIENCE,
      );
      expect(gateway.child.exitCode).toBeNull();
      gateway.child.kill("SIGTERM");
      expect(await gateway.exit).toEqual({ code: 143, signal: null });
      expect(gateway.err()).toContain("Ended at once");
    },
    TIME,
  );

  it(
    "says what is wrong before it serves anything",
    async () => {
      const worker = bench.run(["worker", "--app", app]);
      expect(await worker.exit).toEqual({ code: 2, signal: null });
      expect(worker.err()).toMatch(/^UNSUPPORTED: A worker of its own needs a bus that it shares/);
      const config = bench.config({ store: { backend: "memory" } });
      const first = bench.run(["gateway", "--config", config, "--app", app, "--port", "0", "--json"]);
      const { port } = await first.started();
      const second = bench.run(["gateway", "--config", config, "--app", app, "--port", String(port)]);
      expect(await second.exit).toEqual({ code: 2, signal: null });
      expect(second.err()).toMatch(
        new RegExp(`INVALID_OPTIONS: The port ${port} of 127\\.0\\.0\\.1 cannot be listened on: EADDRINUSE`),
      );
      first.child.kill("SIGINT");
      expect((await first.exit).code).toBe(0);
    },
    TIME,
  );
});

describe.skipIf(withoutRedisServer !== undefined)("gateway and workers over Redis", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis([...everyWrite, "--user", "app", "on", ">s3cr3t-pass", "~*", "&*", "+@all"]);
  });
  afterAll(() => redis.stop());
  const shared = () => {
    const url = `redis://app:s3cr3t-pass@127.0.0.1:${redis.port}`;
    const namespace = `cli${process.pid}`;
    return bench.config({
      bus: { backend: "redis", url, namespace, leaseMs: 2_000 },
      locks: { backend: "redis", url, namespace },
      store: { backend: "redis", url, namespace: `${namespace}:thread` },
      workers: 2,
    });
  };

  it(
    "is not ready without a worker, ready with one, not ready while Redis is away, and ready again by itself",
    async () => {
      const config = shared();
      const gateway = bench.run([
        "gateway",
        "--config",
        config,
        "--app",
        app,
        "--no-worker",
        "--port",
        "0",
        "--probes",
        "0",
        "--json",
      ]);
      const { port, probes } = await gateway.started();
      expect(await probe(probes, "/readyz")).toMatchObject({
        status: 503,
        body: {
          live: true,
          ready: false,
          checks: { bus: { ok: true }, workers: { ok: false, detail: "no worker is running" } },
        },
      });
      const worker = bench.run(["worker", "--config", config, "--app", app, "--probes", "0", "--json"]);
      const { probes: workerProbes } = await worker.started();
      await eventually(
        async () => (await probe(probes, "/readyz")).status === 200,
        "the gateway sees the worker",
        PATIENCE,
      );
      expect((await post(port, "/messages?wait=60000", { id: "1", chat: "ana", text: "before" })).status).toBe(200);

      await redis.kill();
      for (const one of [probes, workerProbes]) {
        await eventually(
          async () => (await probe(one, "/readyz")).status === 503,
          "it is not ready while Redis is away",
          PATIENCE,
        );
        expect(await probe(one, "/healthz")).toMatchObject({ status: 200 });
        expect((await probe(one, "/readyz")).body.checks["bus"]).toMatchObject({ ok: false, detail: "unreachable" });
      }
      expect((await post(port, "/messages", { id: "2", chat: "ana", text: "while away" })).status).toBe(503);
      await redis.restart();
      for (const one of [probes, workerProbes])
        await eventually(
          async () => (await probe(one, "/readyz")).status === 200,
          "it is ready again by itself",
          PATIENCE,
        );
      const after = await post(port, "/messages?wait=60000", { id: "2", chat: "ana", text: "after" });
      expect(((await after.json()) as { reply: { text: string } }).reply.text).toBe("echo: after");

      // What a worker holds when it is told to end, it finishes.
      const late = post(port, "/messages?wait=60000", { id: "3", chat: "ana", text: "held|1000" });
      await eventually(
        () => bench.noted().some(({ event, text }) => event === "start" && text === "held"),
        "the worker has it",
        PATIENCE,
      );
      worker.child.kill("SIGTERM");
      expect(await worker.exit).toEqual({ code: 0, signal: null });
      expect(((await (await late).json()) as { reply: { text: string } }).reply.text).toBe("echo: held");
      gateway.child.kill("SIGTERM");
      expect(await gateway.exit).toEqual({ code: 0, signal: null });
      for (const { out, err } of [gateway, worker]) expect(out() + err()).not.toContain("s3cr3t-pass");
    },
    TIME,
  );
});
