import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { redisFlagWriter, redisRolloutStore, type RedisFlagWriter } from "@hebra/flags/redis";
import { eventually } from "@hebra/test-servers/eventually";
import { everyWrite, startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, test } from "vitest";
import { app, PATIENCE, workbench } from "../testing/spawn.fixture.ts";

const TIME = 180_000;
const KEY = "engine-v2";
const bench = workbench();
let redis: TestRedis;
let writer: RedisFlagWriter;

describe.skipIf(withoutRedisServer !== undefined)("a deployment of a gateway and two workers with a flag", () => {
  beforeAll(async () => {
    redis = await startRedis(everyWrite);
    writer = redisFlagWriter({ url: redis.url });
  }, TIME);
  afterAll(async () => {
    await bench.close();
    await writer.close();
    await redis.stop();
  });

  /** The flag's next version is in force in Redis; the processes have a second. */
  let version = 0;
  const flag = async (rollout: object) => {
    await writer.write({ flags: {}, rollouts: { [KEY]: { version: ++version, ...rollout } } });
    return performance.now();
  };

  function start() {
    const shared = { backend: "redis", url: "${HEBRA_TEST_REDIS}" };
    const config = bench.config({
      bus: shared,
      locks: shared,
      store: shared,
      workers: 2,
      flags: {
        key: KEY,
        providers: [{ backend: "environment" }, shared],
        assignments: shared,
        rollouts: shared,
        flushMs: 100,
      },
    });
    const old = join(bench.directory, "old");
    writeFileSync(old, "");
    const env = { HEBRA_TEST_REDIS: redis.url, HEBRA_TEST_OLD: old };
    const gateway = bench.run(
      ["gateway", "--config", config, "--app", app, "--no-worker", "--port", "0", "--json"],
      env,
    );
    const workers = [0, 1].map(() => bench.run(["worker", "--config", config, "--app", app, "--json"], env));
    return { gateway, workers };
  }

  test(
    "follows an edit of the flag within a second, without a deploy, and reports what its turns did: off, allow list, 10 %, kill",
    async () => {
      await flag({});
      const { gateway, workers } = start();
      const [{ port }] = await Promise.all([gateway.started(), ...workers.map((worker) => worker.started())]);
      let last = 0;
      const say = async (chat: string) => {
        const id = String(++last);
        const answer = await fetch(`http://127.0.0.1:${port}/messages?wait=60000`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ id, chat, text: id }),
        });
        assert.equal(answer.status, 200);
        return ((await answer.json()) as { reply: { text: string } }).reply.text.split(" ")[0];
      };
      const engineOf = async (chat: string) => ((await say(chat)) === "old" ? "old" : "new");
      /** New sessions, for over a second: one that began a second after the edit or later has the engine. */
      const within = async (engine: string, since: number, chat: (n: number) => string) => {
        let late = 0;
        for (let n = 0, row = 0; row < 6 || performance.now() - since < 1_200; n++) {
          const began = performance.now() - since;
          const right = (await engineOf(chat(n))) === engine;
          row = right ? row + 1 : 0;
          if (!right) late = began;
        }
        assert.ok(late < 1_000, `a session that began ${Math.round(late)} ms after the edit had the other engine`);
      };
      assert.equal(await engineOf("first"), "old");
      await within("new", await flag({ allow: { org: ["default"] } }), (n) => `allowed-${n}`);
      assert.equal(await engineOf("first"), "new", "a session changes its engine between two turns");
      await flag({ canary: { percent: 10 } });
      let tens = 0;
      await eventually(async () => (await engineOf(`ten-${tens++}`)) === "old", "10 % is in force", PATIENCE);
      const arms = [];
      for (let n = 0; n < 30; n++) arms.push(await engineOf(`share-${n}`));
      const share = arms.filter((engine) => engine === "new").length;
      assert.ok(share >= 1 && share <= 9, `${share} of 30 sessions`);
      const one = `share-${arms.indexOf("new")}`;
      for (let turn = 0; turn < 6; turn++) assert.equal(await engineOf(one), "new", "a session keeps its engine");
      const kill = { at: new Date().toISOString(), by: "ana", reason: "test" };
      await within("old", await flag({ kill }), (n) => `killed-${n}`);
      assert.equal(await say(one), "old", "at its next turn a session goes back");
      for (const { child, exit } of [gateway, ...workers]) {
        child.kill("SIGTERM");
        assert.equal((await exit).code, 0);
      }
      const rollouts = redisRolloutStore({ url: redis.url });
      const rows = await rollouts.counters(KEY, 0);
      await rollouts.close();
      // A session that both workers served is in a row of each.
      const units = (arm: "new" | "legacy") => new Set(rows.flatMap((row) => row[arm]!.units!.map(([mark]) => mark)));
      const [counted, tries] = [units("new").size, arms.length + tens];
      assert.ok(counted >= share && counted <= share + tens, `${counted} sessions of the new arm among ${tries}`);
      assert.ok(units("legacy").size >= 30 - share, "the allow list is in neither arm, the rest is");
      const verified = rows.map(({ persistence }) => persistence ?? { checked: 0, missing: 0 });
      assert.ok(verified.some(({ checked }) => checked > 0));
      assert.ok(verified.every(({ missing }) => missing === 0));
    },
    TIME,
  );
});
