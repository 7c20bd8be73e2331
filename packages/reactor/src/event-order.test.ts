import { HebraError } from "@hebra/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assertEventOrder, checkEvents, validated } from "./check-events.ts";
import { createEventOrder } from "./event-order.ts";
import type { FinishReason, ReactorEvent } from "./events.ts";
import type { Reactor } from "./reactor.ts";
import { collectEvents, createReactorInput } from "./testing/input.ts";

const usage: ReactorEvent = { type: "usage", usage: { inputTokens: 1 } };
const finish = (reason: FinishReason = "stop"): ReactorEvent => ({ type: "finish", reason });
const start = (partId: string): ReactorEvent => ({ type: "part-start", partId, kind: "text" });
const delta = (partId: string): ReactorEvent => ({ type: "part-delta", partId, delta: "x" });
const end = (partId: string): ReactorEvent => ({ type: "part-end", partId });
const whole = (partId: string): ReactorEvent => ({ type: "part", partId, part: { kind: "data", name: "n", data: 1 } });
const request = (callId: string, ownedByReactor = false): ReactorEvent => ({
  type: "action-request",
  callId,
  name: "a",
  input: {},
  ownedByReactor,
});
const result = (callId: string): ReactorEvent => ({ type: "action-result", callId, status: "succeeded", output: 1 });
const approval = (callId: string): ReactorEvent => ({ type: "approval-request", callId });

function problemOf(
  events: readonly ReactorEvent[],
  options?: Parameters<typeof assertEventOrder>[1],
): string | undefined {
  try {
    assertEventOrder(events, options);
    return undefined;
  } catch (error) {
    if (!HebraError.isInstance(error) || error.code !== "REACTOR_PROTOCOL") throw error;
    return error.message;
  }
}

describe("the order of events", () => {
  it.each<[string, ReactorEvent[]]>([
    ["an answer without any part", [usage, finish()]],
    [
      "parts side by side",
      [start("a"), start("b"), delta("a"), delta("b"), end("b"), end("a"), usage, usage, finish()],
    ],
    ["calls for the engine", [start("a"), end("a"), request("1"), request("2"), usage, finish("actions")]],
    ["calls cut off by the length", [request("1"), usage, finish("length")]],
    ["calls of the reactor", [request("1", true), whole("p"), result("1"), usage, finish()]],
    ["a call that waits for approval", [request("1", true), approval("1"), usage, finish("actions")]],
  ])("accepts %s", (_, events) => expect(problemOf(events)).toBeUndefined());

  it.each<[RegExp, ReactorEvent[]]>([
    [/event 1: part-start of `a`, which is open; it must be absent/, [start("a"), start("a")]],
    [/part of `a`, which is closed/, [whole("a"), whole("a")]],
    [/part-delta of `a`, which is absent; it must be open/, [delta("a")]],
    [/part-delta of `a`, which is closed/, [start("a"), end("a"), delta("a")]],
    [/part-delta of `a`, which is closed/, [whole("a"), delta("a")]],
    [/part-end of `a`, which is absent/, [end("a")]],
    [/action-request of `1`, which is requested/, [request("1"), request("1")]],
    [/action-result of `1`, which is requested; it must be owned/, [request("1"), result("1")]],
    [/action-result of `1`, which is absent/, [result("1")]],
    [/action-result of `1`, which is waiting/, [request("1", true), approval("1"), result("1")]],
    [/action-result of `1`, which is settled/, [request("1", true), result("1"), result("1")]],
    [/approval-request of `1`, which is requested/, [request("1"), approval("1")]],
    [/`finish` before `usage`/, [finish()]],
    [/`finish` while 1 part/, [start("a"), usage, finish()]],
    [/`finish` while 1 call\(s\) that the reactor owns/, [request("1", true), usage, finish()]],
    [/reason `actions`, but nothing/, [usage, finish("actions")]],
    [/reason `stop`, but 1 call/, [request("1"), usage, finish("stop")]],
    [/event 2: `usage` after `finish`/, [usage, finish(), usage]],
    [/event 2: `finish` after `finish`/, [usage, finish(), finish()]],
    [/event 1: the stream ended without `finish`/, [usage]],
    [/unknown type `nonsense`/, [{ type: "nonsense" } as unknown as ReactorEvent]],
    [/unknown finish reason/, [usage, finish("tool-calls" as FinishReason)]],
    [/`partId` is not/, [start("")]],
    [/`delta` is not a string/, [start("a"), { ...delta("a"), delta: undefined } as unknown as ReactorEvent]],
    [/`input` is undefined/, [{ type: "action-request", callId: "1", name: "a" } as unknown as ReactorEvent]],
    [/`usage.inputTokens` is not a count/, [{ type: "usage", usage: { inputTokens: Number.NaN } }]],
    [/without `output`/, [request("1", true), { type: "action-result", callId: "1", status: "succeeded" }]],
  ])("refuses %s", (message, events) => expect(problemOf(events)).toMatch(message));

  it("knows the calls of earlier steps", () => {
    const calls = [
      ["old", "settled"],
      ["approved", "owned"],
    ] as const;
    expect(problemOf([request("old"), usage, finish("actions")], { calls })).toMatch(/which is settled/);
    expect(problemOf([usage, finish()], { calls })).toMatch(/1 call\(s\) that the reactor owns/);
    expect(problemOf([result("approved"), usage, finish()], { calls })).toBeUndefined();
  });

  it("agrees with a plain reading of the rules on random streams", () => {
    const id = fc.constantFrom("a", "b");
    const event = fc.oneof(
      id.map(start),
      id.map(delta),
      id.map(end),
      id.map(whole),
      fc.tuple(id, fc.boolean()).map(([callId, own]) => request(callId, own)),
      id.map(result),
      id.map(approval),
      fc.constant(usage),
      fc.constantFrom<FinishReason>("stop", "actions", "length").map(finish),
    );
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 9 }),
        fc.constantFrom<FinishReason>("stop", "actions", "length"),
        (body, reason) => {
          const events = [...body, usage, finish(reason)];
          const legal = isLegal(events);
          accepted += legal ? 1 : 0;
          expect(problemOf(events) === undefined).toBe(legal);
        },
      ),
      { seed: 20261121, numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
});

/** The rules again, read off the whole list at once instead of event by event. */
function isLegal(events: readonly ReactorEvent[]): boolean {
  const last = events.at(-1)!;
  if (
    last.type !== "finish" ||
    events.filter((e) => e.type === "finish").length !== 1 ||
    !events.some((e) => e.type === "usage")
  )
    return false;
  const idOf = (e: ReactorEvent, field: "partId" | "callId") =>
    field in e ? (e as unknown as Record<string, string>)[field]! : undefined;
  const word = (field: "partId" | "callId", id: string) =>
    events
      .filter((e) => idOf(e, field) === id)
      .map((e) => (e.type === "action-request" && e.ownedByReactor ? "own" : e.type))
      .join(" ");
  const ids = (field: "partId" | "callId") => new Set(events.flatMap((e) => idOf(e, field) ?? []));
  for (const id of ids("partId"))
    if (!/^(part|part-start( part-delta)* part-end)$/.test(word("partId", id))) return false;
  let left = 0;
  for (const id of ids("callId")) {
    const history = word("callId", id);
    if (!/^(action-request|own (action-result|approval-request))$/.test(history)) return false;
    if (!history.endsWith("result")) left++;
  }
  return last.reason === "actions" ? left > 0 : last.reason === "stop" ? left === 0 : true;
}

describe("checkEvents", () => {
  it("stops the source that broke the order", async () => {
    let stopped = false;
    async function* source(): AsyncGenerator<ReactorEvent> {
      try {
        yield start("a");
        yield finish();
        yield usage;
      } finally {
        stopped = true;
      }
    }
    const seen: ReactorEvent[] = [];
    await expect(async () => {
      for await (const event of checkEvents(source())) seen.push(event);
    }).rejects.toMatchObject({ code: "REACTOR_PROTOCOL", details: { index: 1 } });
    expect(seen).toEqual([start("a")]);
    expect(stopped).toBe(true);
  });

  it("wraps a reactor that is an instance of a class", async () => {
    class Own implements Reactor {
      readonly contract = "reactor-v1";
      readonly name = "own";
      readonly runsActions = true;
      readonly answer = [usage];
      async *react() {
        yield* this.answer;
      }
    }
    const reactor = validated(new Own());
    expect([reactor.name, reactor.runsActions]).toEqual(["own", true]);
    await expect(collectEvents(reactor.react(createReactorInput()))).rejects.toThrow(/without `finish`/);
  });

  it("says when it has seen the end", () => {
    const order = createEventOrder();
    expect(order.finished).toBe(false);
    order.accept(usage);
    order.accept(finish());
    expect(order.finished).toBe(true);
  });
});
