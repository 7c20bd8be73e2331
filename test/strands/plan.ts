import fc from "fast-check";

/** What one call of an action does. */
export interface PlannedCall {
  /** `elsewhere` has no `execute`: its result is given by `provideResult`. `unknown` is no action of the definition. */
  name: "read" | "idempotent" | "write" | "guarded" | "elsewhere" | "unknown";
  /** Milliseconds of work; the time limit of an action is 2 000. */
  ms: number;
  how: "returns" | "throws";
  /** Index into the odd values: what is returned or thrown. */
  odd: number;
}

/** What the model answers to one message. */
export interface PlannedTurn {
  steps: PlannedCall[][];
  /** Milliseconds before each answer. */
  thinksMs: number;
  last: "answers" | "fails" | "fails once" | "breaks off";
  /** Index into the odd texts. */
  odd: number;
}

export type Policy = "queue" | "steer" | "merge" | "interrupt" | "reject";

/** A verb of the store that a fault may befall. */
export const struckVerbs = [
  "begin",
  "commit",
  "takeOver",
  "load",
  "execution",
  "history",
  "journal",
  "approval",
  "decideApproval",
  "requestCancel",
  "stateAt",
  "fork",
  "sweep",
  "due",
] as const;
export type StruckVerb = (typeof struckVerbs)[number];

/** What happens next. `which` counts around what there is. */
export type Op =
  | { op: "send"; conversation: number; engine: number; policy: Policy; turn: PlannedTurn; how: "send" | "enqueue" }
  | { op: "send again"; which: number; engine: number }
  | { op: "follow"; which: number; engine: number }
  | { op: "cancel"; which: number; engine: number }
  | { op: "cancel conversation"; conversation: number; engine: number }
  | { op: "decide"; which: number; engine: number; how: "approve" | "deny" | "edit" | "give result" }
  | { op: "fork"; conversation: number; engine: number; which: number }
  | { op: "read"; conversation: number; engine: number }
  | { op: "pass"; ms: number }
  /** Every call fails until it is back; one that is under way loses its answer. */
  | { op: "store away"; ms: number }
  | { op: "locks away"; ms: number }
  | {
      op: "calls fail";
      verb: StruckVerb;
      times: number;
      code: "UNREACHABLE" | "STORE_BUSY" | "STORE_FAILED";
      wrote: boolean;
    }
  | { op: "slow answers"; verb: StruckVerb; times: number; ms: number }
  | { op: "lose leases" }
  | { op: "replace engine"; engine: number };

export interface Plan {
  ops: Op[];
}

const which = fc.nat(7);
const engine = fc.nat(1);
const conversation = fc.nat(2);
const odd = fc.nat(15);
const plannedCall: fc.Arbitrary<PlannedCall> = fc.record({
  name: fc.constantFrom("read", "idempotent", "write", "write", "guarded", "elsewhere", "unknown"),
  ms: fc.constantFrom(0, 0, 40, 700, 6_000),
  how: fc.constantFrom("returns", "returns", "returns", "throws"),
  odd,
});
const turn: fc.Arbitrary<PlannedTurn> = fc.record({
  steps: fc.array(fc.array(plannedCall, { maxLength: 3 }), { maxLength: 3 }),
  thinksMs: fc.constantFrom(0, 10, 300, 2_500),
  last: fc.constantFrom("answers", "answers", "answers", "answers", "fails", "fails once", "breaks off"),
  odd,
});
const verb = fc.constantFrom(...struckVerbs, "commit" as const, "begin" as const, "load" as const);

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("send" as const),
      conversation,
      engine,
      policy: fc.constantFrom<Policy>("queue", "steer", "merge", "interrupt", "reject"),
      turn,
      how: fc.constantFrom("send", "send", "send", "enqueue"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("send again" as const), which, engine }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("follow" as const), which, engine }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("cancel" as const), which, engine }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("cancel conversation" as const), conversation, engine }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("decide" as const),
      which,
      engine,
      how: fc.constantFrom("approve", "deny", "edit", "give result"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("fork" as const), conversation, engine, which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("read" as const), conversation, engine }) },
  {
    weight: 7,
    arbitrary: fc.record({ op: fc.constant("pass" as const), ms: fc.constantFrom(0, 5, 40, 200, 900, 4_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("store away" as const), ms: fc.constantFrom(50, 800, 5_000, 20_000) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("locks away" as const), ms: fc.constantFrom(50, 2_000) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant("calls fail" as const),
      verb,
      times: fc.constantFrom(1, 1, 2, 6),
      code: fc.constantFrom("UNREACHABLE", "STORE_BUSY", "STORE_FAILED"),
      wrote: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("slow answers" as const),
      verb,
      times: fc.constantFrom(1, 3),
      ms: fc.constantFrom(100, 1_500, 4_500),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Op>({ op: "lose leases" }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("replace engine" as const), engine }) },
);

export const plans: fc.Arbitrary<Plan> = fc.record({ ops: fc.array(op, { minLength: 4, maxLength: 30 }) });
