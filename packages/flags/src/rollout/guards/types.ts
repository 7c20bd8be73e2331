import type { ArmCounts, CounterBlock, StepTotals } from "../counters.ts";

/** The guards, in the order in which they are asked. */
export type GuardName =
  | "critical"
  | "persistence"
  | "errors"
  | "incomplete"
  | "latency"
  | "unknown"
  | "error-ceiling"
  | "latency-ceiling"
  | "action-failures"
  | "cost"
  | "steps"
  | "frozen-baseline"
  | "sample-ratio"
  | "silence";

/** What a guard asks for. `hold` keeps the rollout where it is; it can never move it. */
export type GuardAction = "quiet" | "hold" | "pause" | "rollback";

/**
 * What a guard found: nothing wrong, something wrong, too little to tell, or nothing to look at because the plan or the
 * situation switched it off. Only `ok` lets a step end that requires the guard.
 */
export type GuardAnswer = "ok" | "breach" | "no-data" | "off";

/** A number of each arm; absent when the arm has no data. */
export interface ArmPair {
  readonly new?: number;
  readonly legacy?: number;
}

/** Everything the guards look at. Plain JSON, so that evidence can hold it and anybody can ask the guards again. */
export interface GuardInput {
  /** The share of sessions that the running step gives to the new arm, 0 … 1. */
  readonly share: number;
  /** Between how many tests the evidence is averaged: the plan's steps and `full`. */
  readonly restarts: number;
  /** Finished steps since the rollout was last started, resumed or reset; oldest first. */
  readonly completed: readonly StepTotals[];
  /** The running step; oldest first. */
  readonly blocks: readonly CounterBlock[];
  /** The legacy arm of the last step with a share of at most a half. */
  readonly baseline?: ArmCounts;
  /** 95th percentile of a sampled turn, ms, in the running step. */
  readonly p95?: ArmPair;
  /** Mean cost of a sampled turn. */
  readonly meanCost?: ArmPair;
  /** Mean steps of a sampled turn. */
  readonly meanSteps?: ArmPair;
  /** Finished executions of the new arm whose rows were verified, and those with a missing row. */
  readonly persistence?: { readonly checked: number; readonly missing: number };
  /** Set when the counters could not be read. */
  readonly unreadable?: string;
}

/** Where the guards draw their lines. */
export interface GuardLimits {
  /** Guards that are not asked. @defaultValue [] */
  readonly disabled: readonly GuardName[];
  /**
   * Guards that must have data before a step can end: from as many units of each arm as the step asks for.
   * @defaultValue `["errors", "latency"]`
   */
  readonly required: readonly GuardName[];
  /**
   * E-value at which a test pauses. Nine guards share the step: at 20 each, one in 35 healthy steps was paused.
   *
   * @defaultValue 80
   */
  readonly pauseAt: number;
  /** E-value at which a test may roll back. @defaultValue 100 */
  readonly rollbackAt: number;
  /** Smallest ratio of failing shares that is worth a rollback. @defaultValue 2 */
  readonly ratio: number;
  /** Smallest ratio of 95th percentiles that is worth a rollback. @defaultValue 1.25 */
  readonly latencyRatio: number;
  /** Fewest failing sessions of the new arm before a rollback. @defaultValue 3 */
  readonly sessions: number;
  /** Absolute ceiling of the failing share, 0 … 1. @defaultValue 0.01 */
  readonly errorCeiling: number;
  /** Absolute ceiling of the 95th percentile, ms. @defaultValue 2000 */
  readonly latencyCeilingMs: number;
  /** Smallest ratio of mean costs that is worth a pause. @defaultValue 1.25 */
  readonly costRatio: number;
  /** Smallest ratio of mean steps that is worth a pause. @defaultValue 1.25 */
  readonly stepsRatio: number;
  /** Share of the new arm above which the frozen baseline is consulted, 0 … 1. @defaultValue 0.8 */
  readonly baselineShare: number;
  /** E-detector value at which the frozen-baseline guard pauses. @defaultValue 1000 */
  readonly baselineAt: number;
  /** E-value at which the sample-ratio guard pauses. @defaultValue 1000 */
  readonly sampleRatioAt: number;
  /** E-value at which an arm into which nothing is drawn any more pauses the rollout. @defaultValue 100 */
  readonly silenceAt: number;
  /** How many of the latest blocks are looked at for turns that end. @defaultValue 2 */
  readonly silenceBlocks: number;
  /** Fewest units in those blocks that must have started for a missing end to mean anything. @defaultValue 7 */
  readonly silenceExpected: number;
  /** Action calls of the new engine of which zero successes roll back at once. @defaultValue 10 */
  readonly criticalCalls: number;
  /** Operations of which zero successes over so many attempts roll back at once. @defaultValue \{\} */
  readonly criticalOperations: Readonly<Record<string, number>>;
  /** Error classes of which one occurrence rolls back at once. @defaultValue [] */
  readonly criticalErrors: readonly string[];
}

/** The limits of the design. */
export const defaultGuardLimits: GuardLimits = {
  disabled: [],
  required: ["errors", "latency"],
  pauseAt: 80,
  rollbackAt: 100,
  ratio: 2,
  latencyRatio: 1.25,
  sessions: 3,
  errorCeiling: 0.01,
  latencyCeilingMs: 2_000,
  costRatio: 1.25,
  stepsRatio: 1.25,
  baselineShare: 0.8,
  baselineAt: 1_000,
  sampleRatioAt: 1_000,
  silenceAt: 100,
  silenceBlocks: 2,
  silenceExpected: 7,
  criticalCalls: 10,
  criticalOperations: {},
  criticalErrors: [],
};

/** What one guard says. */
export interface GuardVerdict {
  readonly guard: GuardName;
  readonly answer: GuardAnswer;
  readonly action: GuardAction;
  /** One sentence. */
  readonly reason: string;
  /** Set when the guard cannot judge at present, and why. */
  readonly off?: string;
  /** The figures it judged by, rounded to six decimals; e-values as natural logarithms. */
  readonly values: Readonly<Record<string, number>>;
}

/** One guard: a pure function. */
export type Guard = (input: GuardInput, limits: GuardLimits) => GuardVerdict;

/** Six decimals: a replay on another machine must print the same. */
export const rounded = (value: number): number => Math.round(value * 1e6) / 1e6;

/** A verdict without anything to judge by. It can hold a rollout that requires the guard, never move it. */
export function noData(guard: GuardName, reason: string, values: Record<string, number> = {}): GuardVerdict {
  return { ...verdict(guard, "quiet", reason, values), answer: "no-data" };
}

/** A verdict of a guard that does not apply. */
export function switchedOff(guard: GuardName, reason: string, values: Record<string, number> = {}): GuardVerdict {
  return { ...verdict(guard, "quiet", reason, values), answer: "off", off: reason };
}

/** A verdict that lets the rollout be. */
export function quiet(guard: GuardName, reason: string, values: Record<string, number> = {}): GuardVerdict {
  return verdict(guard, "quiet", reason, values);
}

/** A verdict with its figures rounded. */
export function verdict(
  guard: GuardName,
  action: GuardAction,
  reason: string,
  values: Record<string, number> = {},
): GuardVerdict {
  for (const name in values) values[name] = rounded(values[name]!);
  const answer = action === "quiet" ? "ok" : action === "hold" ? "no-data" : "breach";
  return { guard, answer, action, reason, values };
}
