import { createManualClock, HebraError } from "@hebra/core";
import { localLocks } from "@hebra/lock";
import { afterAll, beforeEach, expect, it } from "vitest";
import * as z from "zod";
import { defineAction } from "../definition/define-action.ts";
import { defineThread } from "../definition/define-thread.ts";
import { action, gatedReactor, scripted, setUp } from "../engine/engine.fixture.ts";
import { createEngine } from "../engine/engine.ts";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { recordTelemetry, type SeenPoint } from "./telemetry.fixture.ts";
import { engineMetrics, threadMetrics } from "./thread-metrics.ts";

const told = recordTelemetry();
afterAll(() => told.close());

let before: SeenPoint[] = [];
beforeEach(async () => void (before = await told.points()));

/** What was measured in this test alone. */
async function measured(name: string): Promise<SeenPoint[]> {
  const same = (a: SeenPoint, b: SeenPoint) =>
    a.name === b.name && JSON.stringify(a.labels) === JSON.stringify(b.labels);
  return (await told.points()).flatMap((point) => {
    const earlier = before.find((other) => same(point, other));
    const rest = { ...point, value: point.value - (earlier?.value ?? 0), count: point.count - (earlier?.count ?? 0) };
    return point.name === name && (rest.value !== 0 || rest.count !== 0 || earlier === undefined) ? [rest] : [];
  });
}
const labelsOf = async (name: string) => (await measured(name)).map(({ labels }) => labels);

const USAGE = { inputTokens: 30, outputTokens: 5, costUsd: 0.25, provider: "openai.chat", model: "gpt-5-mini" };

it("a turn is measured by its model's calls, tokens and cost, its steps, its actions and as a whole", async () => {
  const clock = createManualClock(1_000_000);
  const definition = scripted(
    [
      { actions: [{ name: "find", input: {} }], usage: USAGE },
      { text: "Found.", usage: USAGE },
    ],
    {
      actions: { find: action(async () => (await clock.advance(2_000), 1)) },
    },
  );
  const { engine, address } = setUp(definition, { clock });
  await (
    await engine.react(definition, { id: "m1", text: "1" }, { address })
  ).result;
  await engine.idle();
  const model = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.response.model": "gpt-5-mini",
  };
  expect(await measured("gen_ai.client.operation.duration")).toEqual([
    { name: "gen_ai.client.operation.duration", labels: model, value: 0, count: 2 },
  ]);
  expect(await measured("gen_ai.client.token.usage")).toEqual([
    { name: "gen_ai.client.token.usage", labels: { ...model, "gen_ai.token.type": "input" }, value: 60, count: 2 },
    { name: "gen_ai.client.token.usage", labels: { ...model, "gen_ai.token.type": "output" }, value: 10, count: 2 },
  ]);
  expect(await measured("hebra.cost")).toMatchObject([
    {
      labels: { "gen_ai.agent.name": "test", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-5-mini" },
      value: 0.5,
    },
  ]);
  expect(await measured("gen_ai.execute_tool.duration")).toMatchObject([
    { labels: { "gen_ai.tool.name": "find", "gen_ai.agent.name": "test" }, value: 2, count: 1 },
  ]);
  expect(await measured("hebra.step.duration")).toMatchObject([
    { labels: { "hebra.definition": "test", "hebra.outcome": "completed" }, value: 2, count: 2 },
  ]);
  expect(await measured("gen_ai.invoke_agent.duration")).toMatchObject([
    { labels: { "gen_ai.agent.name": "test", "hebra.outcome": "completed" }, value: 2, count: 1 },
  ]);
  expect(await measured("hebra.execution.duration")).toMatchObject([
    { labels: { "hebra.definition": "test", "hebra.outcome": "completed" }, value: 2, count: 1 },
  ]);
  expect(await measured("hebra.lock.wait")).toMatchObject([{ labels: { "hebra.outcome": "acquired" }, count: 1 }]);
  await engine.close();
});

it("errors are counted by action and by provider, and retries by what was tried again", async () => {
  const broken = action(() => Promise.reject(new Error("closed")), { retry: { attempts: 3, baseMs: 0 } });
  const strict = defineAction({ description: "x", input: z.object({ n: z.number() }), execute: () => 1 });
  const once = new HebraError("REACTOR_FAILED", "overloaded", { retryable: true, details: { retryAfterMs: 0 } });
  let asked = 0;
  const definition = scripted(
    [
      () =>
        asked++ === 0
          ? { error: once }
          : {
              actions: [
                { name: "broken", input: {} },
                { name: "strict", input: { n: "one" } },
                { name: "made_up_7f3a", input: {} },
              ],
              usage: USAGE,
            },
      { text: "Sorry." },
    ],
    { actions: { broken, strict }, model: "openai/gpt-5" },
  );
  const { engine, address } = setUp(definition, { random: () => 0 });
  await (
    await engine.react(definition, { id: "m1", text: "1" }, { address })
  ).result;
  await engine.idle();
  const of = (tool: string, type: string) => ({
    "gen_ai.agent.name": "test",
    "gen_ai.tool.name": tool,
    "error.type": type,
  });
  expect(await labelsOf("hebra.action.errors")).toEqual([
    of("strict", "ACTION_INPUT_INVALID"),
    of("_OTHER", "ACTION_NOT_FOUND"),
    of("broken", "ACTION_FAILED"),
  ]);
  expect(await labelsOf("hebra.provider.errors")).toEqual([
    {
      "gen_ai.agent.name": "test",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "openai/gpt-5",
      "error.type": "REACTOR_FAILED",
    },
  ]);
  expect(await measured("hebra.retries")).toEqual([
    { name: "hebra.retries", labels: { of: "model" }, value: 1, count: 1 },
    { name: "hebra.retries", labels: { of: "action" }, value: 2, count: 1 },
  ]);
  await engine.close();
});

it("a write that is tried again counts as a retry", async () => {
  const store = memoryStore();
  let failures = 1;
  const flaky: ThreadStore = {
    ...store,
    commit: (...given) =>
      failures-- > 0
        ? Promise.reject(new HebraError("UNREACHABLE", "away", { retryable: true }))
        : store.commit(...given),
  };
  const { engine, address } = setUp(scripted([{ text: "Hi." }]), { store: flaky, random: () => 0 });
  await (
    await engine.react("test", { id: "m1", text: "1" }, { address })
  ).result;
  await engine.close();
  expect(await measured("hebra.retries")).toMatchObject([{ labels: { of: "write" }, value: 1 }]);
});

it("a trigger that comes once more is a duplicate, one that was announced is none", async () => {
  const { engine, address } = setUp(scripted([{ text: "Hi." }]));
  await engine.enqueue("test", { id: "m1", text: "1" }, { address });
  await (
    await engine.react("test", { id: "m1", text: "1" }, { address })
  ).result;
  await engine.idle();
  expect(await measured("hebra.trigger.duplicates")).toEqual([]);
  expect((await engine.react("test", { id: "m1", text: "1" }, { address })).duplicate).toBe(true);
  expect(await measured("hebra.trigger.duplicates")).toMatchObject([
    { labels: { "hebra.definition": "test" }, value: 1 },
  ]);
  await engine.close();
});

it("a trigger that joins a turn is counted by how it does, one that waits for its own is not", async () => {
  const { reactor, reached, open } = gatedReactor();
  const definition = defineThread({ name: "test", reactor });
  const { engine, address } = setUp(definition);
  await engine.react(definition, { id: "m1", text: "1" }, { address });
  await reached;
  for (const [id, whenBusy] of [
    ["m2", "steer"],
    ["m3", "queue"],
    ["m4", "merge"],
    ["m5", "merge"],
    ["m4", "merge"],
  ] as const)
    await engine.react(definition, { id, text: id }, { address, whenBusy });
  open();
  await engine.idle();
  expect(await measured("hebra.turn.injections")).toMatchObject([
    { labels: { "hebra.definition": "test", policy: "steer" }, value: 1 },
    { labels: { "hebra.definition": "test", policy: "merge" }, value: 2 },
  ]);
  await engine.close();
});

it("a holder that was replaced is told apart: its lease is lost, its write is refused, the turn is taken up again", async () => {
  const store = memoryStore();
  const { reactor, reached, open } = gatedReactor();
  const slow = createEngine({ store, threads: [defineThread({ name: "test", reactor })], locks: localLocks() });
  const turn = await slow.react("test", { id: "m1", text: "1" }, { address: { key: "customer-7" } });
  turn.result.catch(() => undefined);
  await reached;
  // Locks of its own know nothing of the other's: as after a pause that was longer than the lease.
  const other = createEngine({ store, threads: [scripted([{ text: "Hi." }])], locks: localLocks() });
  await other.recover({ olderThanMs: -1 });
  await other.idle();
  open();
  await slow.idle();
  expect(await labelsOf("hebra.fence.rejected")).toEqual([{ "error.type": "STALE_FENCE" }]);
  expect(await labelsOf("hebra.turn.resumes")).toEqual([{ "hebra.definition": "test", cause: "cut-off" }]);
  expect(await labelsOf("gen_ai.invoke_agent.duration")).toContainEqual({
    "gen_ai.agent.name": "test",
    "hebra.outcome": "given-up",
    "error.type": "STALE_FENCE",
  });

  const locks = localLocks();
  const again = gatedReactor();
  const losing = createEngine({ store, threads: [defineThread({ name: "test", reactor: again.reactor })], locks });
  const lost = await losing.react("test", { id: "m2", text: "2" }, { address: { key: "customer-8" } });
  lost.result.catch(() => undefined);
  await again.reached;
  await locks.close();
  await losing.idle();
  expect(await labelsOf("hebra.lease.lost")).toEqual([{ holder: "call" }]);
  await Promise.all([slow.close(), other.close(), losing.close()]);
});

it("a person's decision takes a turn up, and a turn that never ran is measured as well", async () => {
  const definition = scripted([{ actions: [{ name: "pay", input: {} }] }, { text: "Paid." }], {
    actions: { pay: action(() => 1, { approval: true }) },
  });
  const { engine, address } = setUp(definition);
  const turn = await engine.react(definition, { id: "m1", text: "1" }, { address });
  const { approvals } = await turn.result;
  const next = await engine.react(definition, { id: "m2", text: "2" }, { address });
  await engine.cancel(next.executionId);
  await engine.idle();
  expect(await labelsOf("gen_ai.invoke_agent.duration")).toEqual([
    { "gen_ai.agent.name": "test", "hebra.outcome": "waiting" },
  ]);
  expect(await labelsOf("hebra.step.duration")).toEqual([{ "hebra.definition": "test", "hebra.outcome": "waiting" }]);
  await engine.deny(approvals[0]!.id);
  await engine.idle();
  expect(await labelsOf("hebra.turn.resumes")).toEqual([{ "hebra.definition": "test", cause: "decision" }]);
  expect(await labelsOf("hebra.execution.duration")).toContainEqual({
    "hebra.definition": "test",
    "hebra.outcome": "cancelled",
  });
  await engine.close();
});

it("every metric of the engine was measured here, with no label that the page of metrics does not name", async () => {
  const known = new Map(
    Object.values(threadMetrics).map(({ name, labels }) => [name as string, labels as readonly string[]]),
  );
  const points = await told.points();
  const measuredHere = new Set(points.map(({ name }) => name));
  expect(Object.values(engineMetrics).flatMap(({ name }) => (measuredHere.has(name) ? [] : [name]))).toEqual([]);
  for (const { name, labels } of points)
    for (const label of Object.keys(labels)) expect(known.get(name), name).toContain(label);
});
