import { createManualClock, type JsonValue } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { assertEventOrder } from "./check-events.ts";
import { scriptedReactor, type ScriptedReactorOptions } from "./scripted.ts";
import { collectEvents, createReactorInput } from "./testing/input.ts";

const textOf = async (options: ScriptedReactorOptions, iteration: number, executionId = "e") => {
  const events = await collectEvents(
    scriptedReactor(options).react(createReactorInput({ ids: { executionId, iteration } })),
  );
  return events.flatMap((event) => (event.type === "part-delta" ? event.delta : [])).join("");
};

describe("scriptedReactor", () => {
  it("plays every kind of content in order, and keeps the contract", async () => {
    const reactor = scriptedReactor({
      steps: [
        {
          reasoning: "Hm.",
          text: ["One ", "two"],
          sources: [{ id: "s", url: "https://example.org/" }],
          files: [{ mediaType: "text/plain", url: "data:,x" }],
          data: [{ name: "form", data: { a: 1 } }],
          actions: [
            { name: "find", input: { id: 7 } },
            { name: "note", input: "{broken", callId: "own-id" },
          ],
          session: { turn: 1 },
          usage: { inputTokens: 5 },
        },
      ],
    });
    const events = await collectEvents(reactor.react(createReactorInput()));
    assertEventOrder(events);
    expect(events.map((event) => event.type)).toEqual([
      "part-start",
      "part-delta",
      "part-end",
      "part-start",
      "part-delta",
      "part-delta",
      "part-end",
      "part",
      "part",
      "part",
      "action-request",
      "action-request",
      "session",
      "usage",
      "finish",
    ]);
    expect(events.at(-1)).toEqual({ type: "finish", reason: "actions" });
    expect(events.find((event) => event.type === "action-request" && event.callId === "own-id")).toMatchObject({
      input: "{broken",
    });
    expect(reactor.runsActions).toBeUndefined();
  });

  it("is a function of execution and iteration alone", async () => {
    const options: ScriptedReactorOptions = {
      steps: [{ text: "a", actions: [{ name: "x", input: {} }] }, { text: "b" }],
    };
    const reactor = scriptedReactor(options);
    const play = (executionId: string, attempt: number, iteration = 0, on = reactor) =>
      collectEvents(on.react(createReactorInput({ ids: { executionId, attempt, iteration } })));
    const first = await play("e-1", 1);
    await play("e-1", 1, 1);
    expect(await play("e-1", 2)).toEqual(first);
    expect(await play("e-1", 1, 0, scriptedReactor(options))).toEqual(first);
    expect(await play("e-2", 1)).not.toEqual(first);
    const [one, two] = await Promise.all([play("e-3", 1), play("e-3", 1, 1)]);
    expect([one.length, two.length]).toEqual([6, 5]);
  });

  it("gives steps and whole scripts the input", async () => {
    const steps: ScriptedReactorOptions["steps"] = [
      ({ ids }) => ({ text: `first of ${ids.executionId}` }),
      async ({ transcript }) => ({ text: `${transcript.length} messages` }),
    ];
    expect(await textOf({ steps }, 0, "e-9")).toBe("first of e-9");
    expect(await textOf({ steps }, 1)).toBe("1 messages");
    const byExecution: ScriptedReactorOptions = {
      steps: ({ ids }) => [{ text: ids.executionId }, { text: "last" }],
      repeatLast: true,
    };
    expect(await textOf(byExecution, 0, "e-4")).toBe("e-4");
    expect(await textOf(byExecution, 8, "e-4")).toBe("last");
  });

  it("ends with the script, unless the last step repeats", async () => {
    await expect(textOf({ steps: [{ text: "only" }] }, 1)).rejects.toMatchObject({
      code: "SCRIPT_EXHAUSTED",
      details: { steps: 1, iteration: 1 },
    });
    await expect(textOf({ steps: () => [], repeatLast: true }, 0)).rejects.toMatchObject({ code: "SCRIPT_EXHAUSTED" });
    expect(await textOf({ steps: [{ text: "a" }, { text: "b" }], repeatLast: true }, 5)).toBe("b");
  });

  it("throws a scripted failure after the content that came before it", async () => {
    const own = new RangeError("mine");
    for (const [error, expected] of [
      ["the line broke", { code: "REACTOR_FAILED", message: "the line broke", retryable: true }],
      [own, own],
    ] as const) {
      const seen: string[] = [];
      const answer = scriptedReactor({ steps: [{ text: "partial", error }] }).react(createReactorInput());
      await expect(async () => {
        for await (const event of answer) seen.push(event.type);
      }).rejects.toMatchObject(expected);
      expect(seen).toEqual(["part-start", "part-delta", "part-end"]);
    }
  });

  it("can own actions, with a result or a wait for approval", async () => {
    const reactor = scriptedReactor({
      steps: [
        {
          actions: [
            { name: "a", input: {}, result: { output: [1] } },
            { name: "b", input: {}, result: { error: "no" } },
          ],
        },
        { actions: [{ name: "c", input: {}, approval: { reason: "costly" } }] },
      ],
    });
    expect(reactor.runsActions).toBe(true);
    const [settled, waiting] = await Promise.all(
      [0, 1].map((iteration) => collectEvents(reactor.react(createReactorInput({ ids: { iteration } })))),
    );
    assertEventOrder(settled!);
    assertEventOrder(waiting!);
    expect(settled!.filter((event) => event.type === "action-result")).toMatchObject([
      { status: "succeeded", output: [1] },
      { status: "failed", error: "no" },
    ]);
    expect(settled!.at(-1)).toEqual({ type: "finish", reason: "stop" });
    expect(waiting!.map((event) => event.type)).toEqual(["action-request", "approval-request", "usage", "finish"]);
    expect(waiting!.at(-1)).toEqual({ type: "finish", reason: "actions" });
  });

  it("waits on the clock between events, and stops when aborted", async () => {
    const clock = createManualClock();
    const controller = new AbortController();
    const seen: string[] = [];
    const answer = scriptedReactor({ steps: [{ text: ["a", "b"] }], delayMs: 10, clock }).react(
      createReactorInput({ signal: controller.signal }),
    );
    const done = (async () => {
      for await (const event of answer) seen.push(event.type);
    })();
    await clock.advance(9);
    expect(seen).toEqual([]);
    await clock.advance(11);
    expect(seen).toEqual(["part-start", "part-delta"]);
    controller.abort();
    await expect(done).rejects.toMatchObject({ code: "ABORTED" });
    expect(clock.pending()).toBe(0);
  });

  it("gives copies, which nobody can change the script by", async () => {
    const step = {
      actions: [{ name: "a", input: { list: [1] }, result: { output: { b: [2] } } }],
      data: [{ name: "d", data: { c: [3] } }],
      session: { e: [4] },
    };
    const reactor = scriptedReactor({ steps: [step] });
    const before = structuredClone(step);
    const spoil = (value: unknown): void => {
      if (Array.isArray(value)) value.push("spoilt");
      else if (typeof value === "object" && value !== null) Object.values(value).forEach(spoil);
    };
    const first = await collectEvents(reactor.react(createReactorInput()));
    const copy = structuredClone(first);
    first.forEach(spoil);
    expect(step).toEqual(before);
    expect(await collectEvents(reactor.react(createReactorInput()))).toEqual(copy);
  });

  it("uses no timer without a delay", async () => {
    const clock = {
      ...createManualClock(),
      after: () => {
        throw new Error("a timer was set");
      },
    };
    await collectEvents(scriptedReactor({ steps: [{ text: ["a", "b", "c"] }], clock }).react(createReactorInput()));
  });

  it.each<[unknown, RegExp]>([
    [{ steps: [] }, /`steps`: must hold at least one step/],
    [{}, /`steps`: must be a list of steps or a function/],
    [{ steps: [{ text: "a" }], repeatlast: true }, /unknown option `repeatlast`; did you mean `repeatLast`\?/],
    [{ steps: [{ text: "a" }, { txt: "b" }] }, /steps\[1\]: unknown option `txt`; did you mean `text`\?/],
    [{ steps: [{ actions: [{ name: "a", arguments: {} }] }] }, /actions\.0/],
    [
      { steps: [{ actions: [{ name: "a", input: {}, result: { output: 1 }, approval: {} }] }] },
      /both `result` and `approval`/,
    ],
    [{ steps: [{ text: 5 as unknown as JsonValue }] }, /`text`: must be a string or a list of strings/],
    [{ steps: [{ text: "a" }], delayMs: -1 }, /delayMs/],
  ])("refuses options %j", (options, message) => {
    expect(() => scriptedReactor(options as ScriptedReactorOptions)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", message: expect.stringMatching(message) as string }),
    );
  });

  it("refuses what a step function gives wrongly", async () => {
    await expect(textOf({ steps: [() => ({ txt: "b" }) as object] }, 0)).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
    });
  });
});
