import { createManualClock, HebraError } from "@hebra/core";
import { localLocks, type LockManager } from "@hebra/lock";
import { scriptedReactor, type TranscriptMessage } from "@hebra/reactor";
import fc from "fast-check";
import * as z from "zod";
import { defineAction, withState } from "../definition/define-action.ts";
import { defineThread } from "../definition/define-thread.ts";
import type { BusyPolicy } from "../definition/policy.ts";
import type { ActionEffect } from "../store/rows.ts";
import type { ThreadStore } from "../store/store.ts";
import { faultyStore, type FaultyStore, type StoreFault } from "../testing/faulty-store.ts";
import type { Engine } from "./api.ts";
import { createEngine } from "./engine.ts";
import { executionIdOf, mainContextIdOf, threadIdOf } from "./rows/new-rows.ts";

/** What an action is asked for: how long it takes, whether it fails, and whether a person is asked before. */
export interface PlannedAction {
  effect: ActionEffect;
  ms: number;
  fails: boolean;
  asks: "nobody" | "in time" | "for ever";
}

/**
 * One turn: the actions of each of its steps, and how it ends: with an answer, with a model or with services that fail.
 */
export interface PlannedTurn {
  steps: PlannedAction[][];
  last: "answers" | "model fails" | "services fail";
}

/** What happens next. `which` counts from the first trigger or open approval, and around. */
export type Op =
  | { op: "say"; policy: BusyPolicy; turn: PlannedTurn; enqueue: boolean }
  | { op: "again"; which: number; policy: BusyPolicy }
  | { op: "cancel"; which: number }
  | { op: "decide"; which: number; how: "approve" | "deny" | "edit" }
  | { op: "pass"; ms: number }
  | { op: "recover" }
  /** Stalled writes come through. */
  | { op: "release" }
  /** A process comes after the last one, which ends or goes on beside it. */
  | { op: "replace"; ends: boolean };

export interface Plan {
  ops: Op[];
  /** The faults of each process in turn; those after them have none. */
  faults: StoreFault[][];
  /** One count of leases for all processes; else each has its own, as when one slept through its lease. */
  sharedLocks: boolean;
}

/** After so many milliseconds a person's silence is an answer. */
const EXPIRES_IN_MS = 3_000;
const which = fc.nat(7);
const policy = fc.constantFrom<BusyPolicy>("queue", "steer", "merge", "interrupt");
const plannedAction: fc.Arbitrary<PlannedAction> = fc.record({
  effect: fc.constantFrom<ActionEffect>("read", "idempotent", "write"),
  ms: fc.constantFrom(0, 0, 30, 600),
  fails: fc.integer({ max: 3 }).map((n) => n === 3),
  asks: fc.constantFrom("nobody", "nobody", "nobody", "nobody", "in time", "for ever"),
});
const turn: fc.Arbitrary<PlannedTurn> = fc.record({
  steps: fc.array(fc.array(plannedAction, { maxLength: 3 }), { maxLength: 3 }),
  last: fc.oneof(
    { weight: 8, arbitrary: fc.constant("answers" as const) },
    { weight: 1, arbitrary: fc.constantFrom("model fails", "services fail") },
  ),
});
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("say" as const),
      policy,
      turn,
      enqueue: fc.constantFrom(false, false, false, true),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("again" as const), which, policy }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("cancel" as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("decide" as const),
      which: fc.nat(2),
      how: fc.constantFrom("approve", "deny", "edit"),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("pass" as const),
      ms: fc.constantFrom(0, 5, 20, 60, 300, 700, EXPIRES_IN_MS),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Op>({ op: "recover" }) },
  { weight: 1, arbitrary: fc.constant<Op>({ op: "release" }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("replace" as const), ends: fc.boolean() }) },
);
const fault: fc.Arbitrary<StoreFault> = fc.record({
  verb: fc.oneof(
    { weight: 2, arbitrary: fc.constant("commit" as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "begin",
        "takeOver",
        "load",
        "execution",
        "history",
        "decideApproval",
        "requestCancel",
      ),
    },
  ),
  at: fc.integer({ min: 1, max: 6 }),
  // Five tries are what a write is given.
  times: fc.constantFrom(1, 1, 2, 5, 7),
  mode: fc.constantFrom("before", "after", "stall"),
});
export const plans: fc.Arbitrary<Plan> = fc.record({
  ops: fc.array(op, { minLength: 6, maxLength: 24 }),
  faults: fc.array(fc.array(fault, { minLength: 1, maxLength: 4 }), { maxLength: 4 }),
  sharedLocks: fc.boolean(),
});
/** One process, whose writes fail now and then: never so often that it gives a turn up. */
export const calmPlans: fc.Arbitrary<Plan> = fc.record({
  // What runs has the time to end.
  ops: fc
    .array(
      op.filter(({ op: what }) => what !== "replace"),
      { minLength: 6, maxLength: 24 },
    )
    .map((ops) => [...ops, { op: "pass", ms: 20_000 }]),
  faults: fc.tuple(
    fc.array(
      fc.record({
        verb: fc.constant("commit" as const),
        at: fc.integer({ min: 1, max: 6 }),
        times: fc.constantFrom(1, 2),
        mode: fc.constantFrom("before", "after"),
      }),
      { minLength: 1, maxLength: 2 },
    ),
  ),
  sharedLocks: fc.constant(true),
});

export const address = { key: "thread" };
export const contextId = mainContextIdOf("default", threadIdOf("default", address.key));

/** A process: an engine over a store with faults of its own. */
interface Process {
  engine: Engine;
  store: FaultyStore;
}

/** Processes, one after or beside the other, over one store; and what was seen of them from outside. */
export interface World {
  clock: ReturnType<typeof createManualClock>;
  /** What the trigger of that id makes its turn do. */
  teach(triggerId: string, turn: PlannedTurn): void;
  /** Starts the next process. */
  start(sharedLocks: boolean, faults: readonly StoreFault[]): Process;
  /** What was wrong at the moment at which it happened. */
  readonly wrong: string[];
  /** The key of each run of an action, by call. */
  readonly ran: Map<string, { key: string; effect: ActionEffect; times: number }>;
  /** What the model was shown last. */
  shown(): readonly TranscriptMessage[];
}

export function createWorld(data: ThreadStore): World {
  const clock = createManualClock();
  const scripts = new Map<string, PlannedTurn>();
  const wrong: string[] = [];
  const ran: World["ran"] = new Map();
  const committed = new Set<string>();
  let shown: readonly TranscriptMessage[] = [];
  const observed: ThreadStore = {
    ...data,
    async commit(tenant, id, guard, changes) {
      const done = await data.commit(tenant, id, guard, changes);
      for (const { status, idempotencyKey } of changes.calls ?? [])
        if (status === "succeeded") committed.add(idempotencyKey);
      return done;
    },
  };

  const does = (effect: ActionEffect) =>
    defineAction({
      description: effect,
      effect,
      input: z.object({ name: z.string(), ms: z.number(), fails: z.boolean(), asks: z.string() }),
      approval: ({ asks }) => (asks === "nobody" ? false : asks === "in time" ? { expiresInMs: EXPIRES_IN_MS } : true),
      async execute({ name, ms, fails }, { idempotencyKey: key, ids: { callId } }) {
        const seen = ran.get(callId) ?? { key, effect, times: 0 };
        ran.set(callId, { ...seen, times: seen.times + 1 });
        if (seen.key !== key) wrong.push(`${name} ran under another key`);
        if (effect === "write" && seen.times > 0) wrong.push(`${name}, a write, ran again`);
        if (committed.has(key)) wrong.push(`${name} ran again after its result was written`);
        // It does not heed its signal: what it does, it does.
        if (ms > 0) await new Promise<void>((resolve) => clock.after(ms, resolve));
        if (fails) throw new Error(`${name} failed`);
        return withState(name, { [name]: true });
      },
    });
  const definition = defineThread({
    name: "test",
    state: z.record(z.string(), z.boolean()),
    actions: { read: does("read"), idempotent: does("idempotent"), write: does("write") },
    services({ executionId }) {
      if (executionId !== undefined && scripts.get(executionId)?.last === "services fail")
        throw new Error("No connection.");
    },
    reactor: scriptedReactor({
      clock,
      delayMs: 3,
      steps({ ids, transcript }) {
        shown = transcript;
        wrong.push(...problemsOf(transcript));
        const { steps, last } = scripts.get(ids.executionId)!;
        return [
          ...steps.map((actions, step) => ({
            text: `Step ${step}.`,
            actions: actions.map(({ effect, ...input }, index) => ({
              name: effect,
              input: { ...input, name: `${ids.executionId} ${step} ${index}` },
            })),
          })),
          last !== "model fails"
            ? { text: "Done." }
            : { text: "Well,", error: new HebraError("REACTOR_FAILED", "The model gave up.") },
        ];
      },
      repeatLast: true,
    }),
  });

  const locks = localLocks({ clock });
  let fences = 0;
  /** Leases that know nothing of another process's; as the fences of real ones, theirs are of one count. */
  function ownLocks(): LockManager {
    const own = localLocks({ clock });
    return {
      async acquire(key, options) {
        const lease = await own.acquire(key, options);
        return {
          key,
          fence: clock.now() * 1_000 + ++fences,
          signal: lease.signal,
          extend: (ttlMs) => lease.extend(ttlMs),
          release: () => lease.release(),
        };
      },
      seed: (key, fence) => own.seed(key, fence),
      close: () => own.close(),
    };
  }

  return {
    clock,
    wrong,
    ran,
    shown: () => shown,
    teach: (triggerId, planned) => void scripts.set(executionIdOf("default", contextId, triggerId), planned),
    start(sharedLocks, faults) {
      const store = faultyStore(observed, faults);
      return {
        store,
        engine: createEngine({
          store,
          threads: [definition],
          locks: sharedLocks ? locks : ownLocks(),
          clock,
          random: () => 0,
          historyItems: 100,
          recoverEveryMs: false,
        }),
      };
    },
  };
}

/** What a model provider would refuse: an unsettled call, or one that comes twice. */
function problemsOf(transcript: readonly TranscriptMessage[]): string[] {
  const calls = transcript.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === "action" ? [part] : [])));
  const unsettled = calls.filter(
    ({ status, error }) =>
      (status !== "succeeded" && status !== "failed") || error?.startsWith("The call was cut off") === true,
  );
  const twice = calls.length - new Set(calls.map(({ callId }) => callId)).size;
  return [
    ...unsettled.map(({ name }) => `the model was shown an unsettled ${name}`),
    ...(twice > 0 ? ["the model was shown a call twice"] : []),
  ];
}
