import { localLocks } from "@hebra/lock";
import { validated, type ReactorDecision, type ReactorInput, type ScriptedStepSource } from "@hebra/reactor";
import { scriptedReactor } from "@hebra/reactor";
import { expect, it } from "vitest";
import * as z from "zod";
import { defineThread } from "../definition/define-thread.ts";
import type { LoopPolicy } from "../definition/policy.ts";
import { memoryStore } from "../store/memory.ts";
import { action, expectSettled, setUp } from "./engine.fixture.ts";
import { createEngine } from "./engine.ts";

const address = { key: "customer-7" };
const trigger = { id: "m1", text: "Clean up." };

/** A reactor with a shell of its own, which asks before it uses it. */
const asking = (then: (input: ReactorInput) => object, first: object = {}, policy: LoopPolicy = {}) => {
  const seen: { decisions: readonly ReactorDecision[]; parts: unknown[] }[] = [];
  const steps: ScriptedStepSource[] = [
    {
      actions: [
        { callId: "s-1", name: "shell", input: { command: "rm -r build" }, approval: { reason: "It deletes files." } },
      ],
      session: { turn: 1 },
      ...first,
    },
    (input) => {
      seen.push({
        decisions: input.decisions ?? [],
        parts: input.transcript.flatMap(({ parts }) => parts.filter(({ kind }) => kind === "action")),
      });
      return then(input);
    },
    { text: "Finished." },
  ];
  // An action of the same name is not what the reactor means: it must never run.
  const definition = defineThread({
    name: "test",
    policy,
    reactor: validated(scriptedReactor({ steps, runsActions: true })),
    actions: { shell: action(() => Promise.reject(new Error("the engine ran it"))), look: action(() => "seen") },
  });
  return { definition, seen };
};
const results = ({ decisions = [] }: ReactorInput) =>
  Object.fromEntries(
    decisions.flatMap(({ callId, decision, input }) =>
      decision === "approved" ? [[callId, { output: { ran: input } }]] : [],
    ),
  );

it("a reactor is told that it may run its own action, and brings the result with its next answer", async () => {
  const { definition, seen } = asking((input) => ({ results: results(input), text: "Done." }));
  const { store, engine } = setUp(definition);
  const turn = await engine.react(definition, trigger, { address });
  const waiting = await turn.result;
  expect(waiting).toMatchObject({ status: "waiting", approvals: [{ status: "pending", reason: "It deletes files." }] });

  await engine.approve(waiting.approvals[0]!.id, { input: { command: "rm -r build/old" } });
  await engine.idle();
  const done = await (await engine.follow(turn.executionId)).result;
  expect(seen).toEqual([
    { decisions: [{ callId: "s-1", decision: "approved", input: { command: "rm -r build/old" } }], parts: [] },
  ]);
  expect(done).toMatchObject({
    status: "completed",
    text: "Done.",
    parts: [
      {
        kind: "action",
        ownedByReactor: true,
        status: "succeeded",
        input: { command: "rm -r build/old" },
        output: { ran: { command: "rm -r build/old" } },
      },
      { text: "Done." },
    ],
  });
  await expectSettled(store);
  await engine.close();
});

it("a reactor is told that it may not, and the siblings that the engine runs are not kept waiting", async () => {
  const { definition, seen } = asking(() => ({ text: "I leave it." }), {
    actions: [
      { callId: "s-1", name: "shell", input: {}, approval: {} },
      { callId: "l-1", name: "look", input: {} },
    ],
  });
  const { store, engine } = setUp(definition);
  const turn = await engine.react(definition, trigger, { address });
  const waiting = await turn.result;
  expect(waiting.parts).toMatchObject([{ name: "shell" }, { name: "look", status: "succeeded" }]);
  await engine.deny(waiting.approvals[0]!.id, { comment: "not on a Friday" });
  await engine.idle();
  expect(await (await engine.follow(turn.executionId)).result).toMatchObject({
    status: "completed",
    text: "I leave it.",
  });
  expect(seen).toMatchObject([
    {
      decisions: [{ callId: "s-1", decision: "denied", error: "A person denied this call: not on a Friday" }],
      parts: [
        { name: "shell", status: "failed" },
        { name: "look", status: "succeeded" },
      ],
    },
  ]);
  await expectSettled(store);
  await engine.close();
});

it("what was allowed is told again after a crash, until it has a result", async () => {
  const store = memoryStore();
  const locks = localLocks();
  let hang = true;
  let reached = () => {};
  const second = new Promise<void>((resolve) => (reached = resolve));
  const { definition, seen } = asking(
    (input) => (reached(), hang ? new Promise(() => {}) : { results: results(input), text: "Done." }),
  );
  const first = createEngine({ store, locks, threads: [definition] });
  const turn = await first.react(definition, trigger, { address });
  await first.approve((await turn.result).approvals[0]!.id);
  await second;
  await first.close();
  hang = false;
  const next = createEngine({ store, locks, threads: [definition] });
  await next.recover({ olderThanMs: -1 });
  await next.idle();
  expect(await (await next.follow(turn.executionId)).result).toMatchObject({ status: "completed", text: "Done." });
  expect(seen).toHaveLength(2);
  expect(seen[1]).toEqual(seen[0]);
  await expectSettled(store);
  await next.close();
});

it("what was allowed and never came back is not left pending when the turn ends", async () => {
  const { definition } = asking(() => ({ error: new Error("the process of the reactor is gone") }));
  const { store, engine } = setUp(definition);
  const turn = await engine.react(definition, trigger, { address });
  await engine.approve((await turn.result).approvals[0]!.id);
  await engine.idle();
  expect(await (await engine.follow(turn.executionId)).result).toMatchObject({
    status: "failed",
    parts: [{ status: "failed", error: expect.stringContaining("may have taken effect") as string }],
  });
  expect((await store.execution("default", turn.executionId))!.calls).toMatchObject([{ status: "cancelled" }]);
  await expectSettled(store);
  await engine.close();
});

it("a reactor that forgets what it was allowed to run breaks its contract", async () => {
  const { definition } = asking(() => ({ text: "What shell?" }));
  const { store, engine } = setUp(definition);
  const turn = await engine.react(definition, trigger, { address });
  await engine.approve((await turn.result).approvals[0]!.id);
  await engine.idle();
  expect(await (await engine.follow(turn.executionId)).result).toMatchObject({
    status: "failed",
    error: { code: "REACTOR_PROTOCOL" },
  });
  await expectSettled(store);
  await engine.close();
});

it("a required action that a reactor was allowed to run counts as done when it came back", async () => {
  const { definition, seen } = asking(
    (input) => ({ results: results(input), text: "Done." }),
    {},
    { requiredAction: "shell" },
  );
  const { store, engine } = setUp(definition);
  const turn = await engine.react(definition, trigger, { address });
  await engine.approve((await turn.result).approvals[0]!.id);
  await engine.idle();
  expect(await (await engine.follow(turn.executionId)).result).toMatchObject({ status: "completed", text: "Done." });
  expect(seen).toHaveLength(1);
  await expectSettled(store);
  await engine.close();
});

it("an answer with searches that its provider ran is the turn's answer: one model call, no repeats [RE-3]", async () => {
  const search = (callId: string) => ({
    callId,
    name: "web_search",
    input: { query: "hebra" },
    result: { output: ["a zebra"] },
  });
  const definition = defineThread({
    name: "test",
    policy: { maxRepeatedCalls: 1, output: z.object({ found: z.string() }) },
    reactor: validated(
      scriptedReactor({
        runsActions: true,
        steps: [{ text: '{"found":"a zebra"}', actions: [search("s-1"), search("s-2"), search("s-3")] }],
      }),
    ),
    actions: {},
  });
  const { store, engine } = setUp(definition);
  const result = await (await engine.react(definition, trigger, { address })).result;
  expect(result).toMatchObject({
    status: "completed",
    reason: "stop",
    text: '{"found":"a zebra"}',
    output: { found: "a zebra" },
    usage: { steps: 1, calls: 3 },
  });
  await expectSettled(store);
  await engine.close();
});

it("an answer that searched and has no usable output is asked for again, with the reason [RE-3]", async () => {
  let told: string | undefined;
  const definition = defineThread({
    name: "test",
    policy: { output: z.object({ found: z.string() }) },
    reactor: validated(
      scriptedReactor({
        runsActions: true,
        steps: [
          { text: "A zebra!", actions: [{ callId: "s-1", name: "web_search", input: {}, result: { output: [] } }] },
          ({ transcript }) => {
            const last = transcript.at(-1)?.parts[0];
            told = last?.kind === "text" ? last.text : undefined;
            return { text: '{"found":"a zebra"}' };
          },
        ],
      }),
    ),
    actions: {},
  });
  const { engine } = setUp(definition);
  const result = await (await engine.react(definition, trigger, { address })).result;
  expect(result).toMatchObject({ status: "completed", output: { found: "a zebra" }, usage: { steps: 2 } });
  expect(told).toContain("it is not JSON alone");
  await engine.close();
});
