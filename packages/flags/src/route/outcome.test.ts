import { createManualClock, HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import { staticProvider } from "../provider/static.ts";
import { createRouter } from "./create-router.ts";
import type { EngineResult, EngineTurn } from "./outcome.ts";
import type { EngineHandlers, JudgeAnswer, Outcome, RouteHandlers } from "./router.ts";

type Handlers = EngineHandlers<unknown> & { readonly outcome?: JudgeAnswer<unknown> };

function setUp() {
  const clock = createManualClock();
  const rollouts = { f: { version: 1, canary: { percent: 100 } } };
  const flags = createFlags({ provider: staticProvider({ flags: {}, rollouts }), clock });
  const finished: Outcome[] = [];
  const breaker: string[] = [];
  const warnings: string[] = [];
  const codes: string[] = [];
  const router = createRouter({
    flags,
    clock,
    logger: { warn: (message) => void warnings.push(message) },
    observer: {
      finished: (outcome) => void finished.push(outcome),
      breakerOpened: ({ cause }) => void breaker.push(cause),
      warned: ({ error }) => void codes.push(error.code),
    },
  });
  const turn = (handlers: Partial<Handlers>, session = "s") =>
    router.route<unknown>("f", { session }, {
      legacy: () => "legacy",
      next: () => "new",
      withoutHandover: true,
      ...handlers,
    } as RouteHandlers<unknown>);
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { clock, router, turn, finished, breaker, warnings, codes, settle };
}

const handle = (result: Promise<EngineResult>): EngineTurn => ({ result });

describe("the outcome of a turn", () => {
  it("of an answer that says nothing is unknown, and the observer gets OUTCOME_UNKNOWN", async () => {
    const { turn, finished, codes, settle } = setUp();
    await turn({ next: () => "words alone" });
    await settle();
    expect(finished.map((one) => one.status)).toEqual(["unknown"]);
    expect(codes).toEqual(["OUTCOME_UNKNOWN"]);
  });

  it.each([
    ["completed", "ok"],
    ["failed", "failed"],
    ["incomplete", "incomplete"],
    ["cancelled", "stopped"],
    ["waiting", "unknown"],
    ["of-tomorrow", "unknown"],
  ])("of an engine that says %s is %s, without any wiring [FL-1]", async (status, expected) => {
    const { turn, finished, settle } = setUp();
    await turn({ next: () => handle(Promise.resolve({ status })) });
    await settle();
    expect(finished.map((one) => one.status)).toEqual([expected]);
  });

  it("is told when the engine's turn settles, with latency, cost, steps, tokens and each action call [FL-1]", async () => {
    const { clock, turn, finished, settle } = setUp();
    let end!: (result: EngineResult) => void;
    const answer = await turn({ next: () => handle(new Promise((resolve) => void (end = resolve))) });
    expect(answer).toHaveProperty("result");
    await settle();
    expect(finished).toEqual([]);
    await clock.advance(1_500);
    end({
      status: "failed",
      error: { code: "REACTOR_FAILED", message: "The model is down." },
      usage: { steps: 3, inputTokens: 10, outputTokens: 2, costUsd: 0.01 },
      parts: [
        { kind: "text", text: "Let me see." },
        { kind: "action", name: "look_up", status: "succeeded" },
        { kind: "action", name: "refund", status: "failed" },
      ],
    });
    await settle();
    expect(finished[0]).toMatchObject({
      status: "failed",
      latencyMs: 1_500,
      cost: 0.01,
      steps: 3,
      tokens: 12,
      calls: [
        { name: "look_up", ok: true },
        { name: "refund", ok: false },
      ],
      signature: { code: "REACTOR_FAILED" },
    });
  });

  it("opens the breaker of a process whose engine's turns fail after they were handed out [FL-1]", async () => {
    const { turn, breaker, settle } = setUp();
    for (let at = 0; at < 5; at++) {
      await turn({ next: () => handle(Promise.resolve({ status: "failed" })) }, `s${at}`);
      await settle();
    }
    expect(breaker).toEqual(["consecutive"]);
  });

  it("is stopped, not failed, when a person, the caller or an abort ended the turn [FL-6]", async () => {
    const { turn, finished, breaker, settle } = setUp();
    const caller = new AbortController();
    const waits = turn({
      signal: caller.signal,
      next: ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("socket closed")))),
    });
    await settle();
    caller.abort();
    await expect(waits).rejects.toThrow();
    for (let at = 0; at < 6; at++) {
      const next = () => Promise.reject(new DOMException("The user pressed stop.", "AbortError"));
      await expect(turn({ next })).rejects.toThrow("stop");
      await turn({ next: () => handle(Promise.resolve({ status: "cancelled" })) });
    }
    await settle();
    expect(new Set(finished.map((one) => one.status))).toEqual(new Set(["stopped"]));
    expect(breaker).toEqual([]);
  });

  it("is unknown when the turn goes on in another process, and failed when its result is lost otherwise", async () => {
    const { turn, finished, settle } = setUp();
    await turn({ next: () => handle(Promise.reject(new HebraError("STALE_FENCE", "Another holder took over."))) });
    await turn({ next: () => handle(Promise.reject(new Error("out of memory"))) });
    await settle();
    expect(finished.map((one) => one.status)).toEqual(["unknown", "failed"]);
  });

  it("is no data, and said so once, when nobody can judge the answer [FL-1]", async () => {
    const { turn, finished, warnings } = setUp();
    await turn({});
    await turn({ next: () => new Response("sorry", { status: 500 }) });
    expect(finished.map((one) => one.status)).toEqual(["unknown", "unknown"]);
    expect(warnings).toEqual([expect.stringContaining("`outcome`")]);
  });

  it("comes from `outcome` where the host gives one, and a judge that throws is no data", async () => {
    const { turn, finished, settle } = setUp();
    await turn({ outcome: () => "incomplete" });
    await turn({ outcome: () => Promise.resolve({ status: "failed", error: new Error("empty answer"), cost: 2 }) });
    await turn({ outcome: () => Promise.reject(new Error("judge")) });
    await turn({ outcome: () => undefined, next: () => handle(Promise.resolve({ status: "completed" })) });
    await settle();
    expect(finished.map((one) => one.status)).toEqual(["incomplete", "failed", "unknown", "ok"]);
    expect(finished[1]).toMatchObject({ cost: 2, signature: { message: "empty answer" } });
  });

  it("is required by the types for answers that the router does not understand [FL-1]", () => {
    const answers = { legacy: () => "text", next: () => "text" };
    // @ts-expect-error a text says nothing about its turn
    const blind: RouteHandlers<string> = answers;
    const judged: RouteHandlers<string> = { ...answers, outcome: () => "ok" };
    const engines: RouteHandlers<EngineTurn> = {
      legacy: () => handle(Promise.resolve({ status: "completed" })),
      next: () => handle(Promise.resolve({ status: "completed" })),
    };
    expect([blind, judged, engines]).toHaveLength(3);
  });
});
