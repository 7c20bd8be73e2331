import assert from "node:assert/strict";
import { createManualClock, HebraError } from "@hebra/core";
import type { Reactor, ReactorEvent } from "@hebra/reactor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { withState } from "../definition/define-action.ts";
import { defineThread } from "../definition/define-thread.ts";
import { memoryStore } from "../store/memory.ts";
import { sqliteStore } from "../store/sqlite.ts";
import type { ThreadStore } from "../store/store.ts";
import { action, expectSettled, scripted, setUp } from "./engine.fixture.ts";

const address = { key: "customer-7" };
const HALF = "\ud83d";

/** Plays one turn in which a `write` returns something, with three tries. */
async function returned(value: unknown, output?: z.ZodType) {
  let ran = 0;
  const shown: unknown[] = [];
  const definition = scripted(
    [
      { actions: [{ name: "send", input: {} }] },
      (input) => {
        shown.push(input.transcript.at(-1)!.parts.at(-1));
        return { text: "Done." };
      },
    ],
    {
      actions: {
        send: action(() => (ran++, value), {
          effect: "write",
          retry: { attempts: 3, baseMs: 0 },
          ...(output === undefined ? {} : { output }),
        }),
      },
    },
  );
  const { engine, store } = setUp(definition);
  const { result, executionId } = await engine.react(definition, { id: "a", text: "a" }, { address });
  assert.equal((await result).status, "completed");
  const call = (await store.execution("default", executionId))!.calls[0]!;
  await expectSettled(store);
  await engine.close();
  return { ran, call, shown: shown[0] as { status: string; output: unknown } };
}

class Receipt {
  readonly number = 7;
  readonly at = new Date(0);
}
const cyclic: Record<string, unknown> = {};
cyclic["self"] = cyclic;

describe("what a `write` returned", () => {
  test.each([
    ["a Date", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
    ["a class instance", new Receipt(), { number: 7, at: "1970-01-01T00:00:00.000Z" }],
    ["NaN", { total: NaN }, { total: null }],
    ["a bigint", { id: 10n }, { id: "10" }],
    ["a Map and a Set", { a: new Map([["x", 1]]), b: new Set([1, 2]) }, { a: [["x", 1]], b: [1, 2] }],
    ["half an emoji", `Sent ${HALF}`, "Sent \ufffd"],
    ["U+0000", "a\u0000b", "a\u0000b"],
    ["nothing", undefined, null],
    ["bytes", new Uint8Array([104, 105]), "aGk="],
  ])("is kept in its JSON form when it is %s, and the effect happens once [EN-2]", async (_what, value, kept) => {
    const { ran, call, shown } = await returned(value);
    assert.deepEqual([ran, call.status, call.output], [1, "succeeded", kept]);
    assert.deepEqual([shown.status, shown.output], ["succeeded", kept]);
  });

  test.each([
    ["does not fit its schema", { a: 1 }, z.object({ a: z.string() }), /not kept.*does not fit its schema/],
    ["is a cycle", cyclic, undefined, /not kept.*part of/],
    [
      "throws when it is read",
      {
        get a() {
          throw new Error("gone");
        },
      },
      undefined,
      /not kept.*gone/,
    ],
  ])(
    "has succeeded when it %s, and the model is told why it is not kept [EN-2]",
    async (_what, value, schema, told) => {
      const { ran, call, shown } = await returned(value, schema);
      assert.deepEqual([ran, call.status, call.error?.code], [1, "succeeded", "ACTION_OUTPUT_INVALID"]);
      assert.equal(shown.status, "succeeded");
      assert.match(String(shown.output), told);
    },
  );

  test("fits its schema in the form in which it is kept [EN-2]", async () => {
    assert.deepEqual((await returned(new Date(0), z.string())).call.output, "1970-01-01T00:00:00.000Z");
  });

  test("tells of a change of state that is refused, without saying that nothing happened [EN-2]", async () => {
    const definition = scripted([{ actions: [{ name: "send", input: {} }] }, { text: "Done." }], {
      state: z.strictObject({ orders: z.number() }),
      initialState: { orders: 0 },
      actions: { send: action(() => withState("sent", { ordres: 5 })) },
    });
    const { engine, store } = setUp(definition);
    const { result, executionId } = await engine.react(definition, { id: "a", text: "a" }, { address });
    await result;
    const { error } = (await store.execution("default", executionId))!.calls[0]!;
    assert.equal(error?.code, "STATE_INVALID");
    assert.match(error.message, /The action ran, but its change of the state of test is refused/);
    await engine.close();
  });
});

describe("a `write` over its time limit", () => {
  const slow = (whenInterrupted: "tell-model" | "ask-person", attempts: number) => {
    const clock = createManualClock();
    let ran = 0;
    const definition = scripted([{ actions: [{ name: "send", input: {} }] }, { text: "Done." }], {
      actions: {
        send: action(() => (ran++, new Promise((resolve) => clock.after(5_000, () => resolve("late")))), {
          effect: "write",
          timeoutMs: 100,
          whenInterrupted,
          retry: { attempts, baseMs: 0 },
        }),
      },
    });
    return { ...setUp(definition, { clock }), clock, definition, ran: () => ran };
  };

  test.each([1, 3])("has an unknown outcome and is not tried again, with %i tries [EN-3]", async (attempts) => {
    const { engine, store, clock, definition, ran } = slow("tell-model", attempts);
    const { result, executionId } = await engine.react(definition, { id: "a", text: "a" }, { address });
    await clock.advance(200);
    assert.equal((await result).status, "completed");
    const call = (await store.execution("default", executionId))!.calls[0]!;
    assert.deepEqual([ran(), call.status, call.error?.code], [1, "interrupted", "ACTION_TIMEOUT"]);
    assert.match(call.error!.message, /unknown/);
    await expectSettled(store);
    await engine.close();
  });

  test("asks a person what became of it, where the action says so [EN-3]", async () => {
    const { engine, store, clock, definition, ran } = slow("ask-person", 3);
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    await clock.advance(200);
    const { status, approvals } = await turn.result;
    assert.deepEqual([status, approvals.length], ["waiting", 1]);
    await engine.approve(approvals[0]!.id, { output: "it was sent" });
    await clock.advance(300);
    assert.equal((await (await engine.follow(turn.executionId)).result).status, "completed");
    const call = (await store.execution("default", turn.executionId))!.calls[0]!;
    assert.deepEqual([ran(), call.status, call.output], [1, "succeeded", "it was sent"]);
    await engine.close();
  });
});

/** A reactor that gives one answer, and then says that it is done. */
function answering(events: readonly ReactorEvent[]): Reactor & { asked(): number } {
  let asked = 0;
  return {
    contract: "reactor-v1",
    name: "odd",
    asked: () => asked,
    async *react() {
      asked++;
      if (asked === 1) yield* events;
      else yield* [{ type: "usage", usage: {} } as const, { type: "finish", reason: "stop" } as const];
    },
  };
}

describe("text from outside", () => {
  const odd = fc
    .array(fc.constantFrom("a", "\u0000", HALF, "\udc00", "é", "😀", "\n", "\\", '"', "\u2028"), { maxLength: 6 })
    .map((units) => units.join(""));
  const plan = fc.record({
    name: odd,
    callId: odd,
    input: odd,
    thrown: odd,
    reason: odd,
    comment: odd,
    model: odd,
    spoken: odd,
    payload: odd,
    expiresInMs: fc.constantFrom(NaN, Infinity, -1, 1e300, 60_000),
  });

  const stores: [string, () => ThreadStore | Promise<ThreadStore>][] = [
    ["memory", memoryStore],
    ["SQLite", () => sqliteStore({ path: ":memory:" })],
  ];
  test.each(stores)("ends a turn well wherever it comes from, over %s [EN-6]", async (_name, open) => {
    const store = await open();
    let key = 0;
    await fc.assert(
      fc.asyncProperty(plan, async (p) => {
        const at = { key: `odd-${key++}` };
        const reactor = answering([
          { type: "part-start", partId: "p", kind: "text" },
          { type: "part-delta", partId: "p", delta: p.spoken },
          { type: "part-end", partId: "p" },
          { type: "action-request", callId: `x${p.callId}`, name: `n${p.name}`, input: p.input },
          { type: "action-request", callId: `y${p.callId}`, name: "fail", input: {} },
          { type: "action-request", callId: `z${p.callId}`, name: "ask", input: {} },
          { type: "usage", usage: { inputTokens: 3, model: p.model } },
          { type: "session", state: { thread: p.model } },
          { type: "finish", reason: "actions" },
        ] as ReactorEvent[]);
        const definition = defineThread({
          name: "test",
          reactor,
          actions: {
            fail: action(() => Promise.reject(new Error(p.thrown)), { input: z.unknown() as never }),
            ask: action(() => p.thrown, { approval: () => ({ reason: p.reason, expiresInMs: p.expiresInMs }) }),
          },
        });
        const { engine } = setUp(definition, { store, outbox: () => [p.payload, { nan: NaN }] });
        const turn = await engine.react(definition, { id: "a", text: `x${p.spoken}` }, { address: at });
        const waiting = await turn.result;
        assert.equal(waiting.status, "waiting", JSON.stringify(waiting.error));
        await engine.approve(waiting.approvals[0]!.id, { comment: p.comment, by: "ana" });
        const { status, error } = await (await engine.follow(turn.executionId)).result;
        assert.deepEqual([status, error, reactor.asked()], ["completed", null, 2]);
        await engine.close();
      }),
      { numRuns: 60, seed: 20_261_130 },
    );
    await store.close();
  });

  test("keeps two calls apart whose ids differ in what cannot be kept [EN-6]", async () => {
    const reactor = answering([
      { type: "action-request", callId: "a\ud800", name: "look", input: {} },
      { type: "action-request", callId: "a\ud801", name: "look", input: {} },
      { type: "usage", usage: {} },
      { type: "finish", reason: "actions" },
    ] as ReactorEvent[]);
    const definition = defineThread({ name: "test", reactor, actions: { look: action(() => "seen") } });
    const { engine, store } = setUp(definition);
    const { result, executionId } = await engine.react(definition, { id: "a", text: "a" }, { address });
    assert.equal((await result).status, "completed");
    const calls = (await store.execution("default", executionId))!.calls;
    assert.deepEqual(
      calls.map(({ status }) => status),
      ["succeeded", "succeeded"],
    );
    await engine.close();
  });
});

test("an outbox that throws fails its turn once, with the cause, and the next message runs [EN-6]", async () => {
  let broken = true;
  let asked = 0;
  const definition = scripted([() => (asked++, { text: "Hi." })]);
  const { engine, store } = setUp(definition, {
    outbox: () => {
      if (broken) throw new Error("No template.");
      return [];
    },
  });
  const first = await (await engine.react(definition, { id: "a", text: "a" }, { address })).result;
  assert.deepEqual([first.status, first.error?.code, first.text], ["failed", "OUTBOX_FAILED", "Hi."]);
  broken = false;
  const second = await (await engine.react(definition, { id: "b", text: "b" }, { address })).result;
  assert.deepEqual([second.status, asked], ["completed", 2]);
  await expectSettled(store);
  await engine.close();
});

test("a write that the store refuses for good fails its turn once, with the cause [EN-6]", async () => {
  const under = memoryStore();
  let refusals = 0;
  const store = Object.assign(Object.create(under) as ThreadStore, {
    commit: async (...args: Parameters<ThreadStore["commit"]>) => {
      if (!args[3].parts?.some(({ kind }) => kind === "text")) return under.commit(...args);
      refusals++;
      throw new HebraError("NOT_SERIALIZABLE", "The database refused a part.");
    },
  });
  const definition = scripted([{ text: "Poison." }]);
  const { engine } = setUp(definition, { store });
  const { status, error } = await (await engine.react(definition, { id: "a", text: "a" }, { address })).result;
  assert.deepEqual([status, error?.code, refusals], ["failed", "NOT_SERIALIZABLE", 2]);
  await expectSettled(under);
  await engine.close();
});

describe("an approval function", () => {
  test.each([undefined, null, 0, ""])("that returns %s asks a person [EN-12]", async (value) => {
    let ran = 0;
    const definition = scripted([{ actions: [{ name: "send", input: {} }] }, { text: "Done." }], {
      actions: { send: action(() => ran++, { approval: (() => value) as never }) },
    });
    const { engine } = setUp(definition);
    const { status } = await (await engine.react(definition, { id: "a", text: "a" }, { address })).result;
    assert.deepEqual([status, ran], ["waiting", 0]);
    await engine.close();
  });

  test("may be asynchronous, and lets the call run on `false` alone [EN-12]", async () => {
    const definition = scripted([{ actions: [{ name: "send", input: {} }] }, { text: "Done." }], {
      actions: { send: action(() => "sent", { approval: (async () => false) as never }) },
    });
    const { engine } = setUp(definition);
    const { status } = await (await engine.react(definition, { id: "a", text: "a" }, { address })).result;
    assert.equal(status, "completed");
    await engine.close();
  });
});

test("a consent that comes after a cancellation is refused [EN-12]", async () => {
  const definition = scripted([{ actions: [{ name: "send", input: {} }] }, { text: "Done." }], {
    actions: { send: action(() => "sent", { approval: true }) },
  });
  const { engine, store } = setUp(definition);
  const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
  const { approvals } = await turn.result;
  await store.requestCancel("default", turn.executionId, { at: 0 });
  await assert.rejects(engine.approve(approvals[0]!.id), { code: "APPROVAL_DECIDED" });
  await engine.close();
});

test("a model is told what was wrong with the text of its input, and the text is kept [EN-15]", async () => {
  const text = '{"number": "A-1"';
  const shown: unknown[] = [];
  const reactor = answering([
    { type: "action-request", callId: "c", name: "look", input: text },
    { type: "usage", usage: {} },
    { type: "finish", reason: "actions" },
  ] as ReactorEvent[]);
  const definition = defineThread({
    name: "test",
    reactor: {
      ...reactor,
      react(input) {
        shown.push(...input.transcript.flatMap(({ parts }) => parts));
        return reactor.react(input);
      },
    },
    actions: { look: action(() => "seen") },
  });
  const { engine, store } = setUp(definition);
  const { result, executionId } = await engine.react(definition, { id: "a", text: "a" }, { address });
  await result;
  const call = (await store.execution("default", executionId))!.calls[0]!;
  assert.deepEqual([call.input, call.error?.code], [text, "ACTION_INPUT_INVALID"]);
  assert.match(call.error!.message, /is not JSON: .*It was: \{"number": "A-1"/);
  expect(shown).toContainEqual(expect.objectContaining({ kind: "action", input: text }));
  await engine.close();
});

test("secrets in the errors of actions and reactors are redacted where they are stored [SE-5]", async () => {
  const url = "postgres://app:hunter2-secret@db.internal:5432/main";
  const key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789";
  const definition = scripted(
    [
      { actions: [{ name: "send", input: {} }] },
      { text: "Well,", error: new HebraError("REACTOR_FAILED", `Refused: api_key=${key}`, { retryable: false }) },
    ],
    { actions: { send: action(() => Promise.reject(new Error(`connect ${url}`))) } },
  );
  const { engine, store } = setUp(definition);
  const { result, contextId } = await engine.react(definition, { id: "a", text: "a" }, { address });
  await result;
  const rows = JSON.stringify(await store.export("default", contextId));
  assert.equal(rows.includes("hunter2-secret"), false);
  assert.equal(rows.includes(key), false);
  await engine.close();
});
