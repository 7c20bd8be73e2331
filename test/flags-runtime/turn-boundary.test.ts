import { createManualClock, HebraError } from "@hebra/core";
import { createFlags, createRouter, staticProvider, type Outcome } from "@hebra/flags";
import { memoryIncidents } from "@hebra/flags/incident";
import { scriptedReactor, type ReactorInput, type ScriptedStep } from "@hebra/reactor";
import { eventually } from "@hebra/test-servers/eventually";
import { defineAction, defineThread } from "@hebra/thread";
import { createRuntime, type LegacyEngine } from "@hebra/thread/runtime";
import { memoryStore } from "@hebra/thread/store/memory";
import assert from "node:assert/strict";
import { test } from "vitest";
import * as z from "zod";
import { deploy, FLAG } from "./forms.fixture.ts";
import { memoryChannel } from "./memory-channel.fixture.ts";
import { createOldEngine } from "./old-engine.fixture.ts";

const all = { canary: { percent: 100 } };
const kill = { kill: { at: "2026-03-02T09:00:00Z", by: "ana", reason: "test" } };

const textOf = ({ transcript }: ReactorInput): string => {
  const part = transcript.findLast(({ role }) => role === "user")?.parts.at(-1);
  return part?.kind === "text" ? part.text : "";
};

/** `pay …` asks a person first; `hang …` answers only when it is let go. */
function desk(hanging: (signal: AbortSignal) => Promise<void> = async () => undefined) {
  return defineThread({
    name: "desk",
    actions: {
      pay: defineAction({
        description: "Pays.",
        input: z.object({}),
        approval: true,
        execute: () => ({ paid: true }),
      }),
    },
    reactor: scriptedReactor({
      steps: [
        async (input): Promise<ScriptedStep> => {
          const text = textOf(input);
          if (text.startsWith("hang")) await hanging(input.signal);
          return text.startsWith("pay") ? { actions: [{ name: "pay", input: {} }] } : { text: `new: ${text}` };
        },
        (input) => ({ text: `new: ${textOf(input)}, done` }),
      ],
    }),
  });
}

async function setUp(definition = desk(), wrap: (legacy: LegacyEngine) => LegacyEngine = (legacy) => legacy) {
  const document = (version: number, rollout: object) => ({ flags: {}, rollouts: { [FLAG]: { version, ...rollout } } });
  let version = 1;
  const source = staticProvider(document(version, all));
  const flags = createFlags({ provider: source });
  await flags.ready();
  const outcomes: Outcome[] = [];
  const router = createRouter({ flags, observer: { finished: (outcome) => void outcomes.push(outcome) } });
  const old = createOldEngine();
  const store = memoryStore();
  const runtime = createRuntime({ threads: [definition], store, router, flag: FLAG, legacy: wrap(old.legacy) });
  const channel = memoryChannel();
  await runtime.gateway({ channels: [channel] });
  let sent = 0;
  const publish = (text: string, more: object = {}) =>
    channel.publish({ id: String(++sent), chat: "ana", session: "ana", text, ...more });
  return {
    ...{ runtime, channel, old, outcomes, publish, store },
    flag: (rollout: object) => source.set(document(++version, rollout)),
    async say(text: string) {
      const before = channel.replies.length;
      await publish(text);
      return (await channel.received(before + 1))[before]!.text;
    },
    approvals: async () => {
      const context = await store.load("default", { key: "ana" });
      const graph = await store.execution("default", context!.active!.execution.id);
      return graph!.approvals.filter(({ status }) => status === "pending");
    },
    async close() {
      await runtime.close();
      router.close();
      await flags.close();
    },
  };
}

const told = (outcomes: readonly Outcome[]) => outcomes.map(({ mode, status }) => `${mode} ${status}`);

test("a turn that waited for a person is reported by whoever ends it", async () => {
  const { runtime, publish, approvals, channel, outcomes, close } = await setUp();
  await publish("pay 1");
  await eventually(() => outcomes.length === 1, "the turn waits");
  const [approval] = await approvals();
  await runtime.engine.approve(approval!.id, { by: "ana" });
  assert.equal((await channel.received(1))[0]!.text, "new: pay 1, done");
  await eventually(() => outcomes.length === 2, "the turn's end is reported");
  assert.deepEqual(told(outcomes), ["new unknown", "new ok"]);
  await close();
});

test("a turn that waits for a person at a kill ends at the way back, and a late consent does nothing", async () => {
  const { runtime, publish, say, flag, approvals, old, outcomes, close } = await setUp();
  await publish("pay 1");
  await eventually(() => outcomes.length === 1, "the turn waits");
  const [approval] = await approvals();
  flag(kill);
  assert.equal(await say("2"), "old: 2");
  await assert.rejects(() => runtime.engine.approve(approval!.id, { by: "ana" }), HebraError);
  assert.deepEqual(
    old.texts("ana").filter((text) => text !== ""),
    ["pay 1", "2", "old: 2"],
  );
  await close();
});

test("a way back that fails is tried again before the message is answered, and answers it once", async () => {
  let failures = 0;
  const { say, flag, old, channel, close } = await setUp(desk(), (legacy) => ({
    ...legacy,
    async handBack(change) {
      if (failures++ === 0) throw new HebraError("UNREACHABLE", "The old database is away.");
      await legacy.handBack!(change);
    },
  }));
  assert.equal(await say("1"), "new: 1");
  flag(kill);
  assert.equal(await say("2"), "old: 2");
  assert.equal(failures, 2);
  assert.deepEqual(old.texts("ana"), ["1", "new: 1", "2", "old: 2"]);
  assert.equal(channel.replies.length, 2);
  await close();
});

test("an interrupting message stops the turn, and is routed as every turn is", async () => {
  let begun = () => {};
  const hangs = new Promise<void>((resolve) => (begun = resolve));
  const hanging = (signal: AbortSignal) =>
    new Promise<void>((_, reject) => {
      begun();
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  const { publish, channel, outcomes, flag, old, close } = await setUp(desk(hanging));
  await publish("hang 1");
  await hangs;
  flag(kill);
  await publish("2", { interrupt: true });
  await eventually(() => channel.replies.some(({ text }) => text === "old: 2"), "the old engine answers");
  assert.deepEqual(told(outcomes), ["new stopped", "legacy ok"]);
  assert.deepEqual(
    old.texts("ana").filter((text) => text !== ""),
    ["hang 1", "2", "old: 2"],
  );
  await close();
});

test("a turn that is asked for again is not run again, nor reported again, and stays where it ran after a kill", async () => {
  const { runtime, flag, outcomes, close } = await setUp();
  const ask = async () => {
    const turn = await runtime.turn("desk", { id: "1", text: "1" }, { address: { key: "ana" } });
    const result = await turn.result;
    return `${turn.engine} ${"text" in result ? result.text : result.texts.join()}`;
  };
  assert.equal(await ask(), "new new: 1");
  flag(kill);
  assert.equal(await ask(), "new new: 1");
  await eventually(() => outcomes.length === 2, "both are told");
  assert.deepEqual(told(outcomes), ["new ok", "new unknown"]);
  await close();
});

test("with every assignment lost, a kill still takes home what the new engine wrote", async () => {
  const { store, runtime, old, close } = await setUp();
  const address = { key: "ana" };
  await (
    await runtime.turn("desk", { id: "1", text: "1" }, { address })
  ).result;
  await close();
  // The process starts anew: its assignments were in memory.
  const flags = createFlags({ provider: staticProvider({ flags: {}, rollouts: { [FLAG]: { version: 2, ...kill } } }) });
  await flags.ready();
  const router = createRouter({ flags });
  const again = createRuntime({ threads: [desk()], store, router, flag: FLAG, legacy: old.legacy });
  assert.equal((await again.turn("desk", { id: "2", text: "2" }, { address })).engine, "legacy");
  await eventually(() => old.texts("ana").length === 4, "the old engine has answered");
  assert.deepEqual(old.texts("ana"), ["1", "new: 1", "2", "old: 2"]);
  await again.close();
  router.close();
  await flags.close();
});

test.skipIf(process.env["REDIS_URL"] === undefined)(
  "a turn whose process ends in its middle is finished where it began, also after a kill; then the session goes back",
  { timeout: 60_000 },
  async () => {
    let begun = () => {};
    let hangs = true;
    const reached = new Promise<void>((resolve) => (begun = resolve));
    const hanging = async (signal: AbortSignal) => {
      if (!hangs) return;
      begun();
      await new Promise<void>((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
      );
    };
    const source = () => staticProvider({ flags: {}, rollouts: { [FLAG]: { version: 1, ...all } } });
    const sources: ReturnType<typeof source>[] = [];
    const old = createOldEngine();
    const { processes, channel, close } = await deploy("gateway and two workers, store on Redis", {
      clock: createManualClock(),
      incidents: memoryIncidents(),
      legacy: old.legacy,
      definition: desk(hanging),
      provider: () => sources[sources.push(source()) - 1]!,
      wrap: (store) => store,
    });
    const last = processes.at(-1)!;
    const turn = await last.runtime.turn("desk", { id: "1", text: "hang 1" }, { address: { key: "ana" } });
    assert.equal(turn.engine, "new");
    await reached;
    await last.runtime.close();
    await assert.rejects(turn.result, HebraError);
    hangs = false;
    for (const each of sources) each.set({ flags: {}, rollouts: { [FLAG]: { version: 2, ...kill } } });
    await channel.publish({ id: "2", chat: "ana", session: "ana", text: "2" });
    await channel.received(1);
    assert.deepEqual(
      channel.replies.map(({ text }) => text),
      ["old: 2"],
    );
    assert.deepEqual(old.texts("ana"), ["hang 1", "new: hang 1", "2", "old: 2"]);
    await close();
  },
);
