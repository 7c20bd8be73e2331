import { systemClock } from "@hebra/core";
import { createFlags, createRouter, staticProvider, type Outcome, type RolloutConfig } from "@hebra/flags";
import { scriptedReactor } from "@hebra/reactor";
import { defineThread } from "@hebra/thread";
import { createRuntime, type EngineRouter } from "@hebra/thread/runtime";
import { memoryStore } from "@hebra/thread/store/memory";
import assert from "node:assert/strict";
import { test } from "vitest";
import { memoryChannel } from "./memory-channel.fixture.ts";
import { createOldEngine } from "./old-engine.fixture.ts";

const FLAG = "engine-v2";

const desk = defineThread({
  name: "desk",
  reactor: scriptedReactor({
    steps: ({ transcript }) => [
      {
        text: `new: ${transcript.map(({ parts }) => parts.map((part) => ("text" in part ? part.text : "")).join("")).join(" | ")}`,
      },
    ],
    repeatLast: true,
  }),
});

/** A gateway with its own worker between the two engines. */
async function setUp(rollout: Omit<RolloutConfig, "version"> = {}) {
  let version = 1;
  const source = staticProvider({ flags: {}, rollouts: { [FLAG]: { version, ...rollout } } });
  const flags = createFlags({ provider: source });
  await flags.ready();
  const outcomes: Outcome[] = [];
  const verified: boolean[] = [];
  const router = createRouter({
    flags,
    observer: {
      finished: (outcome) => void outcomes.push(outcome),
      verified: ({ complete }) => void verified.push(complete),
    },
    clock: systemClock,
  });
  const old = createOldEngine();
  const runtime = createRuntime({
    threads: [desk],
    store: memoryStore(),
    router: router satisfies EngineRouter,
    flag: FLAG,
    legacy: old.legacy,
    flagContext: ({ metadata }) => ({ project: String(metadata["project"] ?? "none") }),
  });
  const channel = memoryChannel();
  await runtime.gateway({ channels: [channel] });
  let sent = 0;
  return {
    runtime,
    router,
    old,
    outcomes,
    verified,
    flag: (next: Omit<RolloutConfig, "version">) =>
      source.set({ flags: {}, rollouts: { [FLAG]: { version: ++version, ...next } } }),
    async say(text: string, tenant = "acme", chat = "ana", metadata = {}) {
      await channel.publish({ id: String(++sent), chat, text, tenant, session: chat, metadata });
      return (await channel.received(sent)).at(-1)!.text;
    },
    async close() {
      await runtime.close();
      router.close();
      await flags.close();
    },
  };
}

test("a gateway follows the flag: off, allow list, kill, and each engine has the whole history", async () => {
  const { say, flag, old, outcomes, verified, router, close } = await setUp();
  assert.equal(await say("1"), "old: 1");
  flag({ allow: { org: ["acme"] } });
  assert.equal(await say("2"), "new: 1 | old: 1 | 2");
  assert.equal(await say("3", "other", "ben"), "old: 3");
  assert.equal((await router.assignment(FLAG, "ana", "acme"))?.mode, "new");
  flag({ kill: { by: "ana", reason: "test", at: "2026-03-02T09:00:00Z" } });
  assert.equal(await say("4"), "old: 4");
  assert.deepEqual(old.texts("ana"), ["1", "old: 1", "2", "new: 1 | old: 1 | 2", "4", "old: 4"]);
  assert.deepEqual(
    outcomes.map(({ status, mode }) => `${mode} ${status}`),
    ["legacy ok", "new ok", "legacy ok", "legacy ok"],
  );
  assert.deepEqual(verified, [true]);
  await close();
});

test("a direct call and a message of one session are served by the same engine", async () => {
  const { runtime, say, flag, close } = await setUp();
  const ask = async (id: string) => {
    const turn = await runtime.turn(desk, { id, text: id }, { address: { tenant: "acme", key: "ana" } });
    const result = await turn.result;
    return `${turn.engine}: ${"text" in result ? result.text : result.texts.join()}`;
  };
  assert.equal(await ask("a"), "legacy: old: a");
  flag({ canary: { percent: 100 } });
  assert.equal(await say("b"), "new: a | old: a | b");
  assert.match(await ask("c"), /^new: new: a \| old: a \| b \| .* \| c$/);
  flag({ kill: { by: "ana", reason: "test", at: "2026-03-02T09:00:00Z" } });
  assert.equal(await ask("d"), "legacy: old: d");
  assert.equal(await say("e"), "old: e");
  await assert.rejects(() => runtime.react(desk, { id: "f", text: "f" }, { address: { key: "ana" } }), {
    code: "UNSUPPORTED",
  });
  await close();
});

test("a flag may look at what the host reads from the message", async () => {
  const { say, flag, close } = await setUp();
  flag({ allow: { project: ["pilot"] } });
  assert.equal(await say("1", "acme", "ana", { project: "pilot" }), "new: 1");
  assert.equal(await say("2", "acme", "ben", { project: "other" }), "old: 2");
  await close();
});
