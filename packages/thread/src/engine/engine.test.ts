import { HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { withState } from "../definition/define-action.ts";
import { defineThread } from "../definition/define-thread.ts";
import { scriptedReactor } from "@hebra/reactor";
import { action, expectSettled, scripted, setUp } from "./engine.fixture.ts";

const trigger = (id = "m1", text = "Hi") => ({ id, text });

describe("react", () => {
  it("answers, and merges each result into its call's part", async () => {
    const definition = scripted(
      [{ text: "One moment.", actions: [{ name: "find", input: { n: 1 } }] }, { text: "Here it is." }],
      { actions: { find: action(({ n }) => ({ found: n })) } },
    );
    const { engine, store, address } = setUp(definition);
    const result = await (await engine.react(definition, trigger(), { address })).result;
    expect(result).toMatchObject({
      status: "completed",
      reason: "stop",
      text: "Here it is.",
      usage: { steps: 2, calls: 1 },
    });
    expect(result.parts).toMatchObject([
      { kind: "text" },
      { kind: "action", name: "find", status: "succeeded", output: { found: 1 } },
      { kind: "text" },
    ]);
    await expectSettled(store);
  });

  it("begins one execution for the same trigger id, also when delivered at the same time", async () => {
    const definition = scripted([{ text: "Once." }]);
    const { engine, store, address } = setUp(definition);
    const turns = await Promise.all(Array.from({ length: 10 }, () => engine.react(definition, trigger(), { address })));
    expect(new Set(turns.map(({ executionId }) => executionId)).size).toBe(1);
    expect(turns.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    for (const turn of turns) expect((await turn.result).text).toBe("Once.");
    const later = await engine.react(definition, trigger(), { address });
    expect(later.duplicate).toBe(true);
    expect((await engine.history(address)).map(({ item }) => item.kind)).toEqual(["trigger", "reaction"]);
    await expectSettled(store);
  });

  it("refuses a trigger id that comes again with another payload", async () => {
    const definition = scripted([{ text: "Once." }]);
    const { engine, address } = setUp(definition);
    await (
      await engine.react(definition, trigger(), { address })
    ).result;
    await expect(engine.react(definition, trigger("m1", "Other"), { address })).rejects.toMatchObject({
      code: "TRIGGER_MISMATCH",
    });
  });

  it("shows the model what it said and did before", async () => {
    const seen: string[] = [];
    const definition = scripted([
      (input) => {
        seen.push(
          input.transcript
            .map(
              ({ role, parts }) =>
                `${role}: ${parts.map((part) => (part.kind === "text" ? part.text : part.kind)).join("+")}`,
            )
            .join(" | "),
        );
        return { text: `Answer ${input.transcript.length}.` };
      },
    ]);
    const { engine, address } = setUp(definition);
    for (const id of ["a", "b", "c"]) await (await engine.react(definition, { id, text: id }, { address })).result;
    expect(seen[2]).toBe("user: a | assistant: Answer 1. | user: b | assistant: Answer 3. | user: c");
  });

  it("tells what is wrong with a definition, a trigger and an address", async () => {
    const definition = scripted([{ text: "x" }]);
    const { engine, address } = setUp(definition);
    await expect(engine.react("other", trigger(), { address })).rejects.toMatchObject({ code: "DEFINITION_MISSING" });
    await expect(engine.react(definition, { id: "x" }, { address })).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
    await expect(engine.react(definition, { id: "a\u0000", text: "x" }, { address })).rejects.toMatchObject({
      code: "INVALID_ID",
    });
    const metadata = { at: new Date() as never };
    await expect(engine.react(definition, { id: "a", text: "x", metadata }, { address })).rejects.toMatchObject({
      code: "NOT_SERIALIZABLE",
    });
    await expect(engine.react(definition, trigger(), { address: { id: "nowhere" } })).rejects.toMatchObject({
      code: "THREAD_NOT_FOUND",
    });
  });

  it("streams every durable event once and in order, whoever reads, also afterwards", async () => {
    const definition = scripted([{ text: ["a", "b"], actions: [{ name: "find", input: {} }] }, { text: "c" }], {
      actions: { find: action(() => 1) },
    });
    const { engine, address } = setUp(definition);
    const turn = await engine.react(definition, trigger(), { address });
    const read = async () => {
      const events = [];
      for await (const event of turn.stream) events.push(event);
      return events;
    };
    const [first, second] = await Promise.all([read(), read()]);
    const seqs = (events: Awaited<ReturnType<typeof read>>) =>
      events.flatMap((event) => ("seq" in event ? [event.seq] : []));
    expect(seqs(first)).toEqual(Array.from({ length: seqs(first).length }, (_, i) => i + 1));
    expect(seqs(second)).toEqual(seqs(first));
    expect(first.at(-1)?.type).toBe("execution-ended");
    expect(first.filter(({ type }) => type === "part-delta").map(({ data }) => data["delta"])).toEqual(["a", "b", "c"]);
    expect(seqs(await read())).toEqual(seqs(first));
  });
});

describe("an action", () => {
  it.each([
    [
      "throws",
      action(() => {
        throw new Error("no such order");
      }),
      "ACTION_FAILED",
      "no such order",
    ],
    [
      "only reads and times out",
      action(() => new Promise(() => {}), { effect: "read", timeoutMs: 20 }),
      "ACTION_TIMEOUT",
      "longer than 20 ms",
    ],
    [
      "is badly called",
      action(() => 1, { input: z.strictObject({ n: z.string() }) as never }),
      "ACTION_INPUT_INVALID",
      "n",
    ],
  ])("that %s is told to the model, and the turn completes", async (_what, bad, code, words) => {
    const errors: unknown[] = [];
    const definition = scripted(
      [
        { actions: [{ name: "bad", input: { n: 1 } }] },
        (input) => {
          errors.push(input.transcript.at(-1)?.parts.at(-1));
          return { text: "I see." };
        },
      ],
      { actions: { bad } },
    );
    const { engine, store, address } = setUp(definition);
    const turn = await engine.react(definition, trigger(), { address });
    expect(await turn.result).toMatchObject({ status: "completed", text: "I see." });
    expect(errors).toMatchObject([{ kind: "action", status: "failed", error: expect.stringContaining(words) }]);
    const graph = await store.execution("default", turn.executionId);
    expect(graph?.calls).toMatchObject([{ status: "failed", error: { code } }]);
    await expectSettled(store);
  });

  it("that does not exist is told to the model", async () => {
    const definition = scripted([{ actions: [{ name: "ghost", input: {} }] }, { text: "Sorry." }], {
      actions: { real: action(() => 1) },
    });
    const { engine, address } = setUp(definition);
    const result = await (await engine.react(definition, trigger(), { address })).result;
    expect(result.parts[0]).toMatchObject({ status: "failed", error: "There is no action ghost; there are: real." });
  });

  it("runs beside its siblings, and changes of state are applied in the order of the calls", async () => {
    const log: string[] = [];
    const wait = (name: string, ms: number, state: Record<string, unknown>) =>
      action(async () => {
        log.push(`${name} starts`);
        await new Promise((resolve) => setTimeout(resolve, ms));
        log.push(`${name} ends`);
        return withState(name, state);
      });
    const definition = defineThread({
      name: "test",
      state: z.object({ last: z.string(), slow: z.boolean().optional() }),
      initialState: { last: "none" },
      reactor: scriptedReactor({
        steps: [
          {
            actions: [
              { name: "slow", input: {} },
              { name: "fast", input: {} },
            ],
          },
          { text: "Done." },
        ],
      }),
      actions: { slow: wait("slow", 20, { last: "slow", slow: true }), fast: wait("fast", 1, { last: "fast" }) },
    });
    const { engine, address } = setUp(definition);
    await (
      await engine.react(definition, trigger(), { address })
    ).result;
    expect(log).toEqual(["slow starts", "fast starts", "fast ends", "slow ends"]);
    expect((await engine.context(address)).state).toEqual({ last: "fast", slow: true });
  });

  it("whose change of state breaks the schema fails, and the state stays", async () => {
    const definition = defineThread({
      name: "test",
      state: z.object({ count: z.number() }),
      initialState: { count: 1 },
      reactor: scriptedReactor({ steps: [{ actions: [{ name: "spoil", input: {} }] }, { text: "Done." }] }),
      actions: { spoil: action(() => withState(1, { count: "many" })) },
    });
    const { engine, address } = setUp(definition);
    const result = await (await engine.react(definition, trigger(), { address })).result;
    expect(result.parts[0]).toMatchObject({ status: "failed", error: expect.stringContaining("count") });
    expect((await engine.context(address)).state).toEqual({ count: 1 });
  });

  it("is tried again as often as it says, with the same idempotency key", async () => {
    const keys: string[] = [];
    const flaky = action(
      (_input, { idempotencyKey }) => {
        keys.push(idempotencyKey);
        if (keys.length < 3) throw new Error("not yet");
        return "ok";
      },
      { retry: { attempts: 3, baseMs: 1 } },
    );
    const definition = scripted([{ actions: [{ name: "flaky", input: {} }] }, { text: "Done." }], {
      actions: { flaky },
    });
    const { engine, address } = setUp(definition);
    expect((await (await engine.react(definition, trigger(), { address })).result).parts[0]).toMatchObject({
      status: "succeeded",
      output: "ok",
    });
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
  });
});

describe("a reactor that fails", () => {
  it("fails the execution, leaves nothing pending, and the next turn works", async () => {
    let broken = true;
    const definition = scripted([
      () => (broken ? { text: "half", error: new Error("model exploded") } : { text: "Back." }),
    ]);
    const { engine, store, address } = setUp(definition);
    const turn = await engine.react(definition, trigger(), { address });
    expect(await turn.result).toMatchObject({
      status: "failed",
      reason: "error",
      error: { message: expect.stringContaining("model exploded") },
    });
    await expectSettled(store);
    broken = false;
    expect(await (await engine.react(definition, trigger("m2"), { address })).result).toMatchObject({
      status: "completed",
      text: "Back.",
    });
    await expectSettled(store);
  });

  it("in a way that may pass is asked again, and readers are told to start the step over", async () => {
    let tries = 0;
    const definition = scripted([
      () =>
        ++tries < 2
          ? { text: "half", error: new HebraError("REACTOR_FAILED", "overloaded", { retryable: true }) }
          : { text: "whole" },
    ]);
    const { engine, address } = setUp(definition, { random: () => 0 });
    const turn = await engine.react(definition, trigger(), { address });
    const types: string[] = [];
    for await (const { type } of turn.stream) types.push(type);
    expect((await turn.result).parts).toMatchObject([{ kind: "text", text: "whole" }]);
    expect(types).toContain("step-reset");
  });

  it("is not the only one: instructions and services that throw fail the turn too", async () => {
    const definition = scripted([{ text: "x" }], {
      instructions: () => {
        throw new Error("no prompt");
      },
    });
    const { engine, store, address } = setUp(definition);
    expect(await (await engine.react(definition, trigger(), { address })).result).toMatchObject({
      status: "failed",
      error: { message: "no prompt" },
    });
    const other = scripted([{ text: "x" }], { services: () => Promise.reject(new Error("no database")) });
    const second = setUp(other, { store });
    expect(await (await second.engine.react(other, trigger("m2"), { address })).result).toMatchObject({
      status: "failed",
      error: { message: "no database" },
    });
    await expectSettled(store);
  });
});
