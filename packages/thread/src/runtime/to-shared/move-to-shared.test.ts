import assert from "node:assert/strict";
import { join } from "node:path";
import { HebraError } from "@hebra/core";
import { withoutRedisServer } from "@hebra/test-servers/redis";
import { describe, test } from "vitest";
import { openStore, parseRuntimeConfig } from "../config.ts";
import { memoryChannel } from "../runtime.fixture.ts";
import { soon, TIME } from "../to-local/move-to-local.fixture.ts";
import { undoMoveToShared } from "./move-to-shared.ts";
import { sharedBench } from "./move-to-shared.fixture.ts";

const HOUR = 3_600_000;

describe.skipIf(withoutRedisServer !== undefined)("moving to shared backends", () => {
  const { directory, deployment, toShared, open, start } = sharedBench();

  test(
    "takes along waiting turns, messages of an older engine, scheduled ones and unsent replies [BU-12]",
    async () => {
      const { local, shared } = deployment("redis");
      const refusing = memoryChannel("memory", async () => {
        throw new HebraError("UNREACHABLE", "Too many requests.", { details: { retryAfterMs: HOUR } });
      });
      // Answered turns whose replies no channel takes, a turn's and an older engine's.
      const before = await open(local);
      await before.gateway({ channels: [refusing], embeddedWorker: false });
      const worker = before.worker();
      for (const chat of ["a", "old1"]) await refusing.publish({ id: "1", chat, text: `${chat} 1` });
      while ((await before.bus.stats()).outbound.depth < 2) await new Promise((resolve) => setTimeout(resolve, 20));
      await worker.stop();
      // Messages that nobody has begun with.
      for (const id of ["2", "3"])
        for (const chat of ["a", "b", "old1"]) await refusing.publish({ id, chat, text: `${chat} ${id}` });
      const replyTo = { gatewayId: "main", channel: "memory", chat: "later", inReplyTo: "s1", deltas: false };
      const message = { id: "s1", chat: "later", text: "later s1" };
      const payload = { kind: "message", message, replyTo };
      await before.bus.schedule({ session: "memory:later", id: "memory:s1", payload }, { at: soon });

      const report = await toShared(shared, { drainMs: 500 });
      assert.equal((await before.health()).ready, false);
      await before.close();
      assert.deepEqual(
        report.steps.map(({ step }) => step),
        ["check", "pause", "drain", "stop", "export", "import", "switch", "publish", "verify"],
      );
      assert.equal(report.published.unsent, 1);
      const { runtime, channel } = await start(shared);
      await channel.received(8);
      const texts = (chat: string) => channel.replies.filter((one) => one.chat === chat).map(({ text }) => text);
      assert.deepEqual(texts("a"), ["echo: a 1", "echo: a 2", "echo: a 3"]);
      assert.deepEqual(texts("b"), ["echo: b 2", "echo: b 3"]);
      assert.deepEqual(texts("old1"), ["old: old1 1", "old: old1 2", "old: old1 3"]);
      const scheduled = (await runtime.bus.scheduled()).messages;
      assert.deepEqual(
        scheduled.map(({ id, at }) => [id, Math.round((at - soon) / 60_000) + 0]),
        [["memory:s1", 0]],
      );
    },
    TIME,
  );

  test(
    "a start on the shared store is refused until the local conversations are moved or ignored [BU-12]",
    async () => {
      const { path, local, shared } = deployment("redis");
      const { runtime, channel } = await start(local);
      await channel.publish({ id: "1", chat: "ana", text: "hello" });
      await channel.received(1);
      await runtime.close();
      await assert.rejects(open(shared), (error: HebraError) => {
        assert.equal(error.code, "LOCAL_STORE_LEFT");
        assert.match(error.message, /"memory:ana".*hebra to-shared.*store\.ignoreLocal/);
        assert.equal(error.details?.["path"], path);
        return true;
      });
      const ignoring = await open({ ...shared, store: { ...shared.store, ignoreLocal: true } });
      await ignoring.close();
      await toShared(shared);
      const after = await start(shared);
      const history = await after.runtime.engine.history({ key: "memory:ana" });
      assert.equal(history.filter(({ item }) => item.kind === "trigger").length, 1);
      // Whoever starts on the local store again is told that its conversations are elsewhere.
      const again = await start(local);
      await assert.rejects(again.channel.publish({ id: "2", chat: "ana", text: "again" }), { code: "CLOSED" });
      await again.runtime.close();
      // What is deleted on the shared side later is not missing.
      await after.runtime.close();
      const store = await openStore(parseRuntimeConfig(shared).store);
      await store.deleteThread("default", { key: "memory:ana" });
      await store.close();
      await (await open(shared)).close();
    },
    TIME,
  );

  test(
    "opens the local intake again when it is interrupted early, and by undo until it has switched [BU-12]",
    async () => {
      const { local, shared } = deployment("redis");
      const { runtime, channel } = await start(local);
      await channel.publish({ id: "1", chat: "a", text: "one" });
      await channel.received(1);
      const abort = new AbortController();
      const at = (wanted: string) => (progress: { step: string; state: string }) =>
        void (progress.step === wanted && progress.state === "begun" && abort.abort());
      await assert.rejects(toShared(shared, { signal: abort.signal, onProgress: at("pause") }), { code: "ABORTED" });
      for (let open = false; !open;)
        open = await channel.publish({ id: "2", chat: "a", text: "two" }).then(
          () => true,
          () => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 50)),
        );
      await channel.received(2);
      const failing = toShared(shared, {
        onProgress: ({ step, state }) => {
          if (step === "switch" && state === "begun") throw new Error("the machine stops");
        },
      });
      await assert.rejects(failing, /the machine stops/);
      await runtime.close();
      const undo = { config: shared, directory: join(directory(), "to-shared") };
      await undoMoveToShared(undo);
      const again = await start(local);
      await again.channel.publish({ id: "3", chat: "a", text: "three" });
      assert.deepEqual(
        (await again.channel.received(1)).map(({ text }) => text),
        ["echo: three"],
      );
      await again.runtime.close();
      await toShared(shared);
      await assert.rejects(undoMoveToShared(undo), { code: "UNSUPPORTED" });
      const { runtime: moved } = await start(shared);
      const history = await moved.engine.history({ key: "memory:a" });
      assert.equal(history.filter(({ item }) => item.kind === "trigger").length, 3);
    },
    TIME,
  );

  test(
    "refuses a local target, live shared workers, a file that is not there and conversations of others [BU-12]",
    async () => {
      const { local, shared } = deployment("redis");
      await assert.rejects(toShared(local), { code: "INVALID_OPTIONS" });
      await assert.rejects(toShared(shared), /There is no local store/);
      const { runtime, channel } = await start(local);
      await channel.publish({ id: "1", chat: "a", text: "here" });
      await channel.received(1);
      const other = await start({ ...shared, store: { ...shared.store, ignoreLocal: true } });
      await other.channel.publish({ id: "1", chat: "a", text: "there" });
      await other.channel.received(1);
      await assert.rejects(toShared(shared), /Workers of the shared deployment are running/);
      await other.runtime.close();
      await assert.rejects(toShared(shared), (error: HebraError) => {
        assert.equal(error.code, "IMPORT_CONFLICT");
        assert.match(error.message, /empty schema or namespace.*--undo/);
        return true;
      });
      await runtime.close();
    },
    TIME,
  );
});
