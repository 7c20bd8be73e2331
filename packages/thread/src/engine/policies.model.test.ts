import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Reactor } from "@hebra/reactor";
import { defineThread } from "../definition/define-thread.ts";
import type { BusyPolicy } from "../definition/policy.ts";
import { memoryStore } from "../store/memory.ts";
import { verifyGraph } from "../store/contract/verify-graph.ts";
import { createEngine } from "./engine.ts";
import { executionIdOf } from "./rows/new-rows.ts";
import type { TurnHandle } from "./handle.ts";

/** A reactor that thinks until it is told to answer, and remembers what it was shown. */
function patient() {
  const heard = new Set<string>();
  let waiting: (() => void)[] = [];
  let free = false;
  const reactor: Reactor = {
    contract: "reactor-v1",
    name: "patient",
    async *react(input) {
      for (const { role, parts } of input.transcript)
        for (const part of parts) if (role === "user" && part.kind === "text") heard.add(part.text);
      if (!free)
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          input.signal.addEventListener("abort", () => resolve(), { once: true });
        });
      yield { type: "usage", usage: {} };
      yield { type: "finish", reason: "stop" };
    },
  };
  const answer = () => {
    const now = waiting;
    waiting = [];
    for (const go of now) go();
  };
  return {
    reactor,
    heard,
    answer,
    release: () => {
      free = true;
      answer();
    },
  };
}

type Op =
  | { op: "say"; policy: BusyPolicy }
  | { op: "answer" }
  | { op: "cancel"; which: number }
  | { op: "again"; which: number }
  | { op: "breathe" };
const policies: BusyPolicy[] = ["queue", "reject", "interrupt", "steer", "merge"];
const ops = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...policies).map((policy): Op => ({ op: "say", policy })) },
    { weight: 3, arbitrary: fc.constant<Op>({ op: "answer" }) },
    { weight: 1, arbitrary: fc.nat(9).map((which): Op => ({ op: "cancel", which })) },
    { weight: 1, arbitrary: fc.nat(9).map((which): Op => ({ op: "again", which })) },
    { weight: 2, arbitrary: fc.constant<Op>({ op: "breathe" }) },
  ),
  { minLength: 3, maxLength: 20 },
);
const ownId = ({ id, turn }: { id: string; turn: TurnHandle }) => executionIdOf("default", turn.contextId, id);
const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("whatever comes in and in what order", () => {
  it("each accepted trigger has one turn and one place, is heard unless it was cancelled, and turns run one at a time", async () => {
    await fc.assert(
      fc.asyncProperty(ops, fc.boolean(), async (script, inParallel) => {
        const store = memoryStore();
        const model = patient();
        const definition = defineThread({ name: "test", reactor: model.reactor });
        const engine = createEngine({ store, threads: [definition], settleWindowMs: 0 });
        const address = { key: "thread" };
        const accepted: { id: string; policy: BusyPolicy; turn: TurnHandle }[] = [];
        const pending: Promise<unknown>[] = [];
        let said = 0;
        for (const step of script) {
          if (step.op === "say") {
            const id = `t${said++}`;
            const asked = engine.react(definition, { id, text: id }, { address, whenBusy: step.policy }).then(
              (turn) => void accepted.push({ id, policy: step.policy, turn }),
              (error: { code?: string }) => expect(error.code).toBe("THREAD_BUSY"),
            );
            if (inParallel) pending.push(asked);
            else await asked;
          }
          if (step.op === "answer") model.answer();
          if (step.op === "breathe") for (let i = 0; i < 5; i++) await breathe();
          const target = accepted[("which" in step ? step.which : 0) % Math.max(1, accepted.length)];
          if (step.op === "cancel" && target !== undefined) await engine.cancel(target.turn.executionId);
          if (step.op === "again" && target !== undefined) {
            const again = await engine.react(definition, { id: target.id, text: target.id }, { address });
            expect(again.duplicate).toBe(true);
            // One that joined a turn has its own once that was cancelled.
            expect([target.turn.executionId, ownId(target)]).toContain(again.executionId);
          }
        }
        await Promise.all(pending);
        model.release();
        await Promise.all(accepted.map(({ turn }) => turn.result));
        await engine.idle();

        if (accepted.length === 0) return;
        const contextId = accepted[0]!.turn.contextId;
        const bundle = (await store.export("default", contextId))!;
        expect(verifyGraph(bundle, { settled: true })).toEqual([]);
        const spoken = bundle.items
          .filter(({ kind }) => kind === "trigger")
          .map(({ content }) => (content[0] as { text: string }).text);
        expect(spoken.toSorted()).toEqual(accepted.map(({ id }) => id).toSorted());
        const turnOf = new Map(bundle.triggers!.map(({ triggerId, executionId }) => [triggerId, executionId]));
        for (const { id } of accepted) {
          const turn = bundle.executions.find((row) => row.id === turnOf.get(id))!;
          if (turn.status === "cancelled") expect(turn.triggerId, "only what it began is cancelled").toBe(id);
          else expect(model.heard).toContain(id);
        }
        // One at a time: each turn has ended before the next one starts, in the journal's own order.
        let running: string | null = null;
        for (const event of bundle.journal ?? []) {
          if (event.type === "execution-started") {
            expect(running).toBeNull();
            running = event.executionId;
          }
          if (event.type === "execution-ended" && event.executionId === running) running = null;
        }
        // In line means in line: those that waited with `queue` start in the order in which they came.
        if (!inParallel) {
          const started = (bundle.journal ?? [])
            .filter(({ type }) => type === "execution-started")
            .map(({ executionId }) => executionId);
          const all = accepted.flatMap((one) => [one.turn.executionId, ownId(one)]);
          const order = [...new Set(all)].filter((id) => started.includes(id));
          expect(started).toEqual(order);
        }
        await engine.close();
      }),
      { seed: 20261121, numRuns: 150 },
    );
  }, 60_000);
});
