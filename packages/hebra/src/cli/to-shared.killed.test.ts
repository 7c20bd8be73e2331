import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { sample } from "@hebra/test-servers/sample";
import { afterAll, beforeAll, describe, test } from "vitest";
import { app, PATIENCE, workbench, type Spawned } from "./testing/spawn.fixture.ts";

const TIME = 300_000;
const CHATS = 8;
const EACH = 4;
const steps = ["check", "pause", "drain", "stop", "export", "import", "switch", "publish", "verify"];

describe.skipIf(withoutRedisServer !== undefined)("hebra to-shared", () => {
  const bench = workbench();
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await bench.close();
    await redis.stop();
  });

  const progressOf = ({ out }: Spawned) =>
    out()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { ok?: boolean; ms: number; contexts: number; steps: { step: string }[] });
  const publish = (port: number, id: string, chat: string, text: string) =>
    fetch(`http://127.0.0.1:${port}/log`, { method: "POST", body: JSON.stringify({ id, chat, text }) });
  const sentTo = (chat: string) =>
    bench
      .noted()
      .filter(({ event, session }) => event === "sent" && session === `log:${chat}`)
      .map(({ text }) => text);

  test(
    "is killed at its steps and run again: every conversation is whole, in order, and answered once [BU-12]",
    async () => {
      const path = join(bench.directory, "threads.sqlite");
      const local = bench.config({ store: { backend: "sqlite", path } }, "local.json");
      const shared = { backend: "redis", url: redis.url, namespace: `to-shared${process.pid}` };
      const config = bench.config(
        {
          bus: { ...shared, leaseMs: 2_000 },
          locks: shared,
          store: { ...shared, namespace: `${shared.namespace}:thread`, path },
          workers: 2,
          sweepMs: 1_000,
        },
        "shared.json",
      );
      const gateway = (of: string, env: Record<string, string> = {}) =>
        bench.run(["gateway", "--config", of, "--app", app, "--port", "0", "--probes", "0", "--json"], env);
      const toShared = () => bench.run(["to-shared", "--config", config, "--drain", "300", "--json"]);

      // Replies that no channel takes, turns under way, and messages behind them.
      const first = gateway(local, { HEBRA_TEST_REFUSE: "1" });
      const { port, probes } = await first.started();
      for (let id = 1; id <= EACH; id++)
        for (let n = 0; n < CHATS; n++)
          await publish(port, String(id), `s${n}`, `${n} says ${id}${id === 3 ? "|1000" : ""}`);
      await eventually(
        () => bench.noted().filter(({ event }) => event === "end").length >= CHATS,
        "turns run",
        PATIENCE,
      );
      const early = gateway(config);
      assert.equal((await early.exit).code, 2);
      assert.match(early.out(), /LOCAL_STORE_LEFT.*hebra to-shared/);

      const killed: string[] = [];
      for (const step of sample("steps of to-shared", steps, 2)) {
        const moving = toShared();
        await moving
          .line((line) => line.includes(`"step":"${step}","state":"begun"`), `it comes to ${step}`, TIME)
          .catch(
            // A run before has got past it.
            () => undefined,
          );
        moving.child.kill("SIGKILL");
        if ((await moving.exit).signal === "SIGKILL") killed.push(step);
      }
      assert.ok(killed.length >= 1, `killed at ${killed.join(", ")}`);
      const last = toShared();
      assert.deepEqual(await last.exit, { code: 0, signal: null });
      const report = progressOf(last).at(-1)!;
      // The schedule keeps its memory in a context of its own.
      assert.deepEqual([report.ok, report.contexts], [true, CHATS + 1]);
      process.stdout.write(`to-shared: killed at ${killed.join(", ")}; the last run took ${report.ms} ms\n`);
      assert.equal((await fetch(`http://127.0.0.1:${probes}/readyz`)).status, 503);
      first.child.kill("SIGTERM");
      assert.equal((await first.exit).code, 0);

      const second = gateway(config);
      const started = await second.started();
      await publish(started.port, String(EACH), "s1", `1 says ${EACH}`);
      await publish(started.port, String(EACH + 1), "s1", `1 says ${EACH + 1}`);
      const all = Array.from({ length: CHATS }, (_, n) => n);
      await eventually(
        () => all.every((n) => sentTo(`s${n}`).length >= EACH + (n === 1 ? 1 : 0)),
        "everything is answered",
        PATIENCE,
      );
      for (const n of all)
        assert.deepEqual(
          sentTo(`s${n}`),
          Array.from({ length: EACH + (n === 1 ? 1 : 0) }, (_, id) => `echo: ${n} says ${id + 1}`),
        );
      second.child.kill("SIGTERM");
      assert.equal((await second.exit).code, 0);
    },
    TIME,
  );
});
