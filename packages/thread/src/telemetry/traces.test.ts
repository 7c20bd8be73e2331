import { afterAll, afterEach, expect, it } from "vitest";
import { action, gatedReactor, scripted, setUp } from "../engine/engine.fixture.ts";
import { createEngine } from "../engine/engine.ts";
import { replay } from "../engine/replay.ts";
import { defineThread } from "../definition/define-thread.ts";
import { localLocks } from "@hebra/lock";
import { recordTelemetry } from "./telemetry.fixture.ts";

const told = recordTelemetry();
afterEach(() => told.reset());
afterAll(() => told.close());

/** Runs something inside a span of the host's. */
async function within<T>(name: string, fn: () => Promise<T>): Promise<T> {
  return told.tracer.startActiveSpan(name, async (span) => {
    try {
      return await fn();
    } finally {
      span.end();
    }
  });
}

const pay = action(() => ({ paid: true }), { approval: true });
const withApproval = () =>
  scripted([{ actions: [{ name: "pay", input: {} }] }, { text: "Paid." }], { actions: { pay } });

it("a turn that waits for a person goes on in the same trace, in another process", async () => {
  const { engine, store, address } = setUp(withApproval());
  const turn = await within("request", () => engine.react("test", { id: "m1", text: "Pay." }, { address }));
  const { approvals } = await turn.result;
  await engine.idle();
  await engine.close();
  expect(told.named("invoke_agent test")[0]!.attributes).toMatchObject({
    "hebra.outcome": "waiting",
    "hebra.resumed": false,
  });

  const second = createEngine({ store, threads: [withApproval()] });
  await within("decision", () => second.approve(approvals[0]!.id));
  await second.idle();
  await second.close();
  const turns = told.spans().filter(({ attributes }) => attributes["hebra.execution.id"] === turn.executionId);
  expect(new Set(turns.map((span) => span.spanContext().traceId)).size).toBe(1);
  const [first, resumed] = told.named("invoke_agent test");
  expect(first!.parentSpanContext?.spanId).toBe(told.named("request")[0]!.spanContext().spanId);
  expect(resumed!.parentSpanContext?.spanId).toBe(first!.spanContext().spanId);
  expect(resumed!.attributes).toMatchObject({ "hebra.resumed": true, "hebra.outcome": "completed" });
  expect(told.named("execute_tool pay")[0]!.parentSpanContext?.spanId).toBe(resumed!.spanContext().spanId);
});

it("a turn that was cut off goes on in its trace when another engine finds it", async () => {
  const { reactor, reached } = gatedReactor();
  const locks = localLocks();
  const { engine, store, address } = setUp(defineThread({ name: "test", reactor }), { locks });
  const turn = await engine.react("test", { id: "m1", text: "Hello." }, { address });
  turn.result.catch(() => undefined);
  await reached;
  await engine.close();
  expect(told.shape()).toEqual([
    { name: "chat gated", parent: "invoke_agent test", failed: "ABORTED" },
    { name: "invoke_agent test", parent: undefined, failed: "CLOSED" },
  ]);
  const second = createEngine({ store, threads: [scripted([{ text: "Here I am." }])], locks });
  await second.recover({ olderThanMs: -1 });
  await second.idle();
  await second.close();
  await locks.close();
  expect(told.traces().size).toBe(1);
  const [first, resumed] = told.named("invoke_agent test");
  expect(resumed!.parentSpanContext?.spanId).toBe(first!.spanContext().spanId);
  expect(resumed!.attributes).toMatchObject({
    "hebra.resumed": true,
    "hebra.attempt": 2,
    "hebra.outcome": "completed",
  });
});

it("triggers that wait in line hang under what caused them, and not under whoever works them off", async () => {
  const { reactor, reached, open } = gatedReactor();
  const definition = defineThread({ name: "test", reactor });
  const { engine, address } = setUp(definition);
  const first = await within("first request", () => engine.react(definition, { id: "m1", text: "1" }, { address }));
  await reached;
  const second = await within("second request", () => engine.react(definition, { id: "m2", text: "2" }, { address }));
  const third = await engine.react(definition, { id: "m3", text: "3" }, { address });
  open();
  await Promise.all([first.result, second.result, third.result]);
  await engine.idle();
  await engine.close();
  expect(
    told
      .shape()
      .filter(({ name }) => name === "invoke_agent test")
      .map(({ parent }) => parent),
  ).toEqual(["first request", "second request", undefined]);
  expect(told.traces().size).toBe(3);
});

it("a host's own trace is used, and a host's own word `trace` is left alone", async () => {
  const { engine, store } = setUp(scripted([{ text: "Hi." }]));
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const given = await within("request", () =>
    engine.react(
      "test",
      { id: "m1", text: "1", correlation: { trace: { traceparent, tracestate: "vendor=1", baggage: "name=Ana" } } },
      { address: { key: "a" } },
    ),
  );
  const odd = await within("request", () =>
    engine.react("test", { id: "m1", text: "1", correlation: { trace: "blue" } }, { address: { key: "b" } }),
  );
  await Promise.all([given.result, odd.result]);
  await engine.idle();
  const spanOf = (executionId: string) =>
    told.named("invoke_agent test").find(({ attributes }) => attributes["hebra.execution.id"] === executionId)!;
  expect(spanOf(given.executionId).spanContext().traceId).toBe("0af7651916cd43dd8448eb211c80319c");
  expect(spanOf(given.executionId).parentSpanContext).toMatchObject({ spanId: "b7ad6b7169203331", isRemote: true });
  const { spanId } = spanOf(given.executionId).spanContext();
  expect((await store.execution("default", given.executionId))!.execution.correlation).toEqual({
    trace: { traceparent: `00-0af7651916cd43dd8448eb211c80319c-${spanId}-01`, tracestate: "vendor=1" },
  });
  expect((await store.execution("default", odd.executionId))!.execution.correlation).toEqual({ trace: "blue" });
  await engine.close();
});

it("a fork's turn is a trace of its own, and a replay tells nothing", async () => {
  const definition = scripted([{ actions: [{ name: "find", input: {} }] }, { text: "Found." }], {
    actions: { find: action(() => 1) },
  });
  const { engine, store, address } = setUp(definition);
  const turn = await engine.react(definition, { id: "m1", text: "1" }, { address });
  await turn.result;
  await engine.idle();
  const fork = await engine.fork(address, { atItemId: turn.reactionItemId });
  const other = await engine.react(definition, { id: "m2", text: "2" }, { address: { contextId: fork.id } });
  await other.result;
  await engine.idle();
  expect(told.traces().size).toBe(2);
  expect(
    told
      .spans()
      .filter(({ attributes }) => attributes["hebra.execution.id"] === other.executionId)
      .map(({ attributes }) => attributes["hebra.context.id"]),
  ).toEqual(Array(4).fill(fork.id));

  const before = await told.points();
  told.reset();
  expect(await replay({ store, executionId: turn.executionId, definition })).toMatchObject({ same: true });
  expect(told.spans()).toEqual([]);
  expect(await told.points()).toEqual(before);
  await engine.close();
});
