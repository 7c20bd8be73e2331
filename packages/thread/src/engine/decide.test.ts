import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callStates, isTerminal } from "../store/states.ts";
import { decide, turnEvents } from "./turn/decide.ts";
import {
  initialTurn,
  type Continuation,
  type TurnEffect,
  type TurnEvent,
  type TurnLimits,
  type TurnState,
} from "./turn/turn-state.ts";

const limits: TurnLimits = {
  maxIterations: 4,
  maxTokens: Infinity,
  maxCostUsd: Infinity,
  maxRepeatedCalls: 3,
  maxFailedSteps: 3,
  requiredAction: undefined,
  maxReasks: 1,
};

const call = (callId: string, over: object = {}) => ({
  callId,
  name: "find",
  signature: callId,
  effect: "read" as const,
  disposition: "run" as const,
  ...over,
});
const answered = (calls: ReturnType<typeof call>[], over: object = {}): TurnEvent => ({
  type: "answered",
  calls,
  usage: { inputTokens: 10, outputTokens: 5 },
  finishReason: calls.length > 0 ? "actions" : "stop",
  outputValid: true,
  inputWaiting: false,
  ...over,
});
const settled = (callId: string, ok = true): TurnEvent => ({ type: "settled", callId, ok, inputWaiting: false });

/** Plays events; returns the last state and all effects. */
function play(
  events: TurnEvent[],
  over: Partial<TurnLimits> = {},
  from = initialTurn,
): { state: TurnState; effects: TurnEffect[] } {
  let state = from;
  const effects: TurnEffect[] = [];
  for (const event of events) {
    const [next, made] = decide(state, event, { ...limits, ...over });
    state = next;
    effects.push(...made);
  }
  return { state, effects };
}

const records = (effects: readonly TurnEffect[]): Continuation[] =>
  effects.flatMap((effect) => (effect.type === "record" ? [effect.continuation] : []));
const ending = (effects: readonly TurnEffect[]) => {
  const last = records(effects).at(-1);
  return last?.then === "end" ? last.outcome : undefined;
};

describe("a turn", () => {
  it("of plain text ends with one record", () => {
    const { state, effects } = play([{ type: "started" }, answered([])]);
    expect(state.phase).toBe("ended");
    expect(effects).toEqual([
      { type: "ask" },
      { type: "record", continuation: { then: "end", outcome: { status: "completed", reason: "stop" } } },
    ]);
  });

  it("records the intent before a call runs, and each batch with the next step", () => {
    const { effects } = play([
      { type: "started" },
      answered([call("a"), call("b")]),
      settled("b"),
      settled("a"),
      answered([]),
    ]);
    expect(effects.map((effect) => (effect.type === "record" ? effect.continuation.then : effect.type))).toEqual([
      "ask",
      "stay",
      "run",
      "open-window",
      "next-step",
      "ask",
      "end",
    ]);
  });

  it("records what has settled when the window closes, and the rest when it settles", () => {
    const { effects } = play([
      { type: "started" },
      answered([call("a"), call("b")]),
      settled("a"),
      { type: "window-closed" },
      settled("b"),
    ]);
    expect(records(effects).map(({ then }) => then)).toEqual(["stay", "stay", "next-step"]);
  });

  it("ends as incomplete at each limit", () => {
    const loop = (i: number) => [answered([call(`c${i}`)]), settled(`c${i}`)];
    expect(ending(play([{ type: "started" }, ...loop(0), ...loop(1), ...loop(2), ...loop(3)]).effects)).toEqual({
      status: "incomplete",
      reason: "max-iterations",
    });
    expect(ending(play([{ type: "started" }, ...loop(0)], { maxTokens: 15 }).effects)).toEqual({
      status: "incomplete",
      reason: "max-tokens",
    });
    const costly = answered([call("x")], { usage: { costUsd: 2 } });
    expect(ending(play([{ type: "started" }, costly, settled("x")], { maxCostUsd: 1 }).effects)).toEqual({
      status: "incomplete",
      reason: "max-cost",
    });
    const same = (i: number) => [answered([call(`c${i}`, { signature: "same" })]), settled(`c${i}`)];
    expect(ending(play([{ type: "started" }, ...same(0), ...same(1)], { maxRepeatedCalls: 1 }).effects)).toEqual({
      status: "incomplete",
      reason: "repeated-call",
    });
    const failing = (i: number) => [answered([call(`c${i}`)]), settled(`c${i}`, false)];
    expect(ending(play([{ type: "started" }, ...failing(0), ...failing(1)], { maxFailedSteps: 2 }).effects)).toEqual({
      status: "incomplete",
      reason: "no-progress",
    });
    expect(ending(play([{ type: "started" }, { type: "time-spent" }]).effects)).toEqual({
      status: "incomplete",
      reason: "max-duration",
    });
    expect(ending(play([{ type: "started" }, answered([], { finishReason: "length" })]).effects)).toEqual({
      status: "incomplete",
      reason: "length",
    });
  });

  it("does not run a call that was made too often", () => {
    const { effects, state } = play(
      [
        { type: "started" },
        answered([call("a", { signature: "s" })]),
        settled("a"),
        answered([call("b", { signature: "s" })]),
      ],
      { maxRepeatedCalls: 1 },
    );
    expect(effects.filter(({ type }) => type === "run")).toHaveLength(1);
    expect(state.calls.map(({ status }) => status)).toEqual(["cancelled"]);
  });

  it("ends with an answer whose calls came with their results, and asks no second time [RE-3]", () => {
    const search = (id: string, disposition: "succeeded" | "failed" = "succeeded") =>
      call(id, { name: "web_search", signature: "same", owned: true, disposition });
    const whole = (...calls: ReturnType<typeof call>[]) => answered(calls, { finishReason: "stop" });
    const ends = (event: TurnEvent, over: Partial<TurnLimits> = {}) => {
      const { effects, state } = play([{ type: "started" }, event], over);
      return [effects.filter(({ type }) => type === "ask").length, ending(effects), state.calls.map((c) => c.status)];
    };
    const done = { status: "completed", reason: "stop" };
    expect(ends(whole(search("a")))).toEqual([1, done, ["succeeded"]]);
    expect(ends(whole(search("a", "failed")))).toEqual([1, done, ["failed"]]);
    expect(ends(whole(search("a")), { requiredAction: "web_search" })[1]).toEqual(done);
    // Five equal searches in one answer are the provider's affair.
    expect(ends(whole(...["a", "b", "c", "d", "e"].map((id) => search(id))))[1]).toEqual(done);
    expect(ends(answered([search("a")], { finishReason: "length" }))[1]).toEqual({
      status: "incomplete",
      reason: "length",
    });
    // What is still missing is asked for as after any other answer, and an answer that goes on is gone on with.
    expect(ends(whole(search("a")), { requiredAction: "finish" })[0]).toBe(2);
    expect(ends(answered([search("a")], { finishReason: "stop", outputValid: false }))[0]).toBe(2);
    expect(ends(answered([search("a")], { finishReason: "stop", inputWaiting: true }))[0]).toBe(2);
    expect(ends(answered([search("a")], { finishReason: "other" }))[0]).toBe(2);
    // Beside a call of the engine the turn goes on as ever, and only the engine's calls are counted.
    const mixed = play([{ type: "started" }, answered([search("a"), call("b")]), settled("b")]);
    expect(mixed.effects.at(-1)).toEqual({ type: "ask" });
    expect(mixed.state.signatures).toEqual({ b: 1 });
  });

  it("asks again for a required action, and then ends when it has succeeded", () => {
    const { effects } = play(
      [{ type: "started" }, answered([]), answered([call("done", { name: "finish" })]), settled("done")],
      { requiredAction: "finish" },
    );
    expect(records(effects)[0]).toEqual({ then: "next-step", reask: "required-action" });
    expect(ending(effects)).toEqual({ status: "completed", reason: "required-action" });
    expect(
      ending(play([{ type: "started" }, answered([]), answered([])], { requiredAction: "finish" }).effects),
    ).toEqual({ status: "incomplete", reason: "required-action" });
  });

  it("asks again for an output that does not fit", () => {
    const wrong = answered([], { outputValid: false });
    expect(ending(play([{ type: "started" }, wrong, answered([])]).effects)).toEqual({
      status: "completed",
      reason: "stop",
    });
    expect(ending(play([{ type: "started" }, wrong, wrong]).effects)).toEqual({
      status: "incomplete",
      reason: "invalid-output",
    });
  });

  it("goes on when input waits", () => {
    const { effects } = play([{ type: "started" }, answered([], { inputWaiting: true }), answered([])]);
    expect(records(effects).map(({ then }) => then)).toEqual(["next-step", "end"]);
  });

  it("runs the siblings of a call that waits for a person, and then waits without a worker", () => {
    const ask = call("w", { disposition: "ask-person" });
    const { state, effects } = play([{ type: "started" }, answered([call("a"), ask]), settled("a")]);
    expect(state.phase).toBe("waiting");
    expect(records(effects).map(({ then }) => then)).toEqual(["stay", "wait"]);
    const approved = play(
      [{ type: "resumed", askAbout: [] }, { type: "decided", callId: "w", decision: "approved" }, settled("w")],
      {},
      state,
    );
    expect(
      approved.effects.map((effect) => (effect.type === "record" ? effect.continuation.then : effect.type)),
    ).toEqual(["stay", "run", "next-step", "ask"]);
    const denied = play([{ type: "decided", callId: "w", decision: "denied" }], {}, state);
    expect(records(denied.effects).map(({ then }) => then)).toEqual(["next-step"]);
  });

  it("after a crash runs reads again and leaves writes alone", () => {
    const { state } = play([{ type: "started" }, answered([call("read"), call("write", { effect: "write" })])]);
    const resumed = play([{ type: "resumed", askAbout: [] }], {}, state);
    expect(resumed.state.calls.map(({ status }) => status)).toEqual(["running", "interrupted"]);
    expect(resumed.effects).toEqual([
      { type: "record", continuation: { then: "stay" } },
      { type: "run", callIds: ["read"] },
    ]);
    const onlyWrite = play([{ type: "started" }, answered([call("write", { effect: "write" })])]);
    expect(records(play([{ type: "resumed", askAbout: [] }], {}, onlyWrite.state).effects)).toEqual([
      { then: "next-step" },
    ]);
    expect(play([{ type: "resumed", askAbout: [] }], {}, initialTurn).effects.map(({ type }) => type)).toEqual([
      "record",
      "ask",
    ]);
  });

  it("waits for a person to say what became of a write, where that is wanted", () => {
    const { state } = play([
      { type: "started" },
      answered([call("pay", { effect: "write" }), call("put", { effect: "write" })]),
    ]);
    const resumed = play([{ type: "resumed", askAbout: ["pay"] }], {}, state);
    expect(resumed.state).toMatchObject({
      phase: "waiting",
      calls: [{ status: "interrupted", asksPerson: true }, { status: "interrupted" }],
    });
    expect(records(resumed.effects)).toEqual([{ then: "wait" }]);
    // Consent is not what it waits for, and nobody was asked about the other.
    for (const event of [
      { callId: "pay", decision: "approved" },
      { callId: "put", decision: "took-effect" },
    ] as const)
      expect(play([{ type: "decided", ...event }], {}, resumed.state).effects).toEqual([]);
    const told = play([{ type: "decided", callId: "pay", decision: "took-effect" }], {}, resumed.state);
    expect(told.state.calls).toEqual([]);
    expect(records(told.effects)).toEqual([{ then: "next-step" }]);
  });
});

describe("any turn", () => {
  const disposition = fc.constantFrom("run" as const, "ask-person" as const, "refused" as const, "succeeded" as const);
  const anyCall = fc.record({ id: fc.nat(5), effect: fc.constantFrom("read" as const, "write" as const), disposition });
  const script = fc.array(
    fc.oneof(
      fc
        .uniqueArray(anyCall, { maxLength: 3, selector: ({ id }) => id })
        .map((calls) => answered(calls.map(({ id, ...rest }) => call(String(id), rest)))),
      fc.tuple(fc.nat(5), fc.boolean()).map(([id, ok]) => settled(String(id), ok)),
      fc
        .tuple(
          fc.nat(5),
          fc.constantFrom(
            "approved" as const,
            "denied" as const,
            "expired" as const,
            "took-effect" as const,
            "no-effect" as const,
          ),
        )
        .map(([id, decision]): TurnEvent => ({ type: "decided", callId: String(id), decision })),
      fc.subarray(["0", "1", "2", "3", "4", "5"]).map((askAbout): TurnEvent => ({ type: "resumed", askAbout })),
      fc.constantFrom<TurnEvent>(
        { type: "window-closed" },
        { type: "cancel-requested" },
        { type: "time-spent" },
        { type: "failed" },
      ),
    ),
    { maxLength: 30 },
  );
  /** Only what can happen: a call settles only while it runs. */
  const possible = (state: TurnState, event: TurnEvent) =>
    event.type !== "settled" ||
    state.calls.some(({ callId, status }) => callId === event.callId && status === "running");

  it("always has a way out, ends once, and leaves no call pending", () => {
    fc.assert(
      fc.property(script, (events) => {
        let state = initialTurn;
        let ends = 0;
        for (const event of events) {
          if (!possible(state, event)) continue;
          const before = state;
          const [next, effects] = decide(state, event, limits);
          state = next;
          ends += records(effects).filter(({ then }) => then === "end").length;
          if (before.phase === "ended") expect(effects).toEqual([]);
          for (const effect of effects) {
            if (effect.type !== "run") continue;
            for (const callId of effect.callIds)
              expect(state.calls.find((made) => made.callId === callId)?.status).toBe("running");
          }
          // What is waited for exists: a running call while acting, an open request while waiting.
          if (state.phase === "acting") expect(state.calls.some(({ status }) => status === "running")).toBe(true);
          if (state.phase === "waiting")
            expect(
              state.calls.some(
                ({ status, asksPerson }) => status === "awaiting_approval" || (status === "interrupted" && asksPerson),
              ),
            ).toBe(true);
        }
        if (state.phase !== "ended") {
          const [next, effects] = decide(state, { type: "cancel-requested" }, limits);
          state = next;
          ends += records(effects).filter(({ then }) => then === "end").length;
        }
        expect(ends).toBe(1);
        for (const { status } of state.calls)
          expect(isTerminal(callStates, status) || status === "interrupted").toBe(true);
      }),
      { seed: 20261121, numRuns: 2_000 },
    );
  });

  it("is pure: the same arguments give the same answer and nothing is changed in place", () => {
    fc.assert(
      fc.property(script, (events) => {
        let state = initialTurn;
        for (const event of events) {
          if (!possible(state, event)) continue;
          const before = structuredClone(state);
          const first = decide(state, event, limits);
          expect(decide(before, event, limits)).toEqual(first);
          expect(state).toEqual(before);
          state = first[0];
        }
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it("hears every event in some phase", () => {
    for (const phases of Object.values(turnEvents)) expect(phases.length).toBeGreaterThan(0);
  });
});
