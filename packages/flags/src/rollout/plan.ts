import { HebraError, parseOptions } from "@hebra/core";
import * as z from "zod";
import { defaultGuardLimits, type GuardLimits, type GuardName } from "./guards/types.ts";
import type { Phase } from "./phase.ts";
import { activePhase } from "./phase.ts";

/** The two signatures that a large step may need: two people, two roles. */
export type ApprovalRole = "technical" | "operational";

/** When a step may be entered. Outside of it the rollout holds. */
export interface LowImpactWindow {
  /** 0 = Sunday … 6 = Saturday. @defaultValue every day */
  readonly days?: readonly number[];
  /** First minute, `HH:MM`, in the time zone. */
  readonly from: string;
  /** Last minute, exclusive, `HH:MM`; earlier than `from` spans midnight. */
  readonly to: string;
  /** IANA name. @defaultValue "UTC" */
  readonly timeZone?: string;
}

/** What entering and leaving a step takes. */
export interface StepGate {
  /** Time with traffic before the rollout may go on, ms. */
  readonly observeMs?: number;
  /** Sessions in each arm before the rollout may go on. */
  readonly minSessions?: number;
  readonly window?: LowImpactWindow;
  /** A passing smoke verdict, at most this old, is needed to enter, ms. */
  readonly smokeMaxAgeMs?: number;
  readonly approvals?: readonly ApprovalRole[];
  /** Items of human evidence needed to enter; `name×3` asks for three records. */
  readonly evidence?: readonly string[];
  /**
   * Checks that must say yes at the moment of entering, by the names under which the service has them: `configuration`,
   * `migrations` …
   */
  readonly checks?: readonly string[];
  /**
   * Whether the controller enters by itself once everything is met. @defaultValue true for canary steps, false for the
   * rest
   */
  readonly automatic?: boolean;
}

/** One canary step. */
export interface CanaryStep extends StepGate {
  /** 0 … 100 with three decimals. */
  readonly percent: number;
}

/** How a rollout goes, as the host writes it. Everything but `owner` has a default. */
export interface RolloutPlanInput {
  readonly owner: string;
  readonly shadow?: Partial<ShadowGate>;
  /** @defaultValue 1, 10, 25 and 50 %, observed for 30 minutes, 60 minutes, 24 and 24 hours of traffic */
  readonly steps?: readonly CanaryStep[];
  readonly full?: Partial<FullGate>;
  readonly limits?: Partial<GuardLimits>;
  /**
   * What a guard's rollback does: `automatic`, or `confirm`, which pauses and asks a person. @defaultValue "automatic"
   */
  readonly rollback?: "automatic" | "confirm";
  /** How long after a rollback a reset is refused, ms. @defaultValue 900,000 */
  readonly coolDownMs?: number;
  /**
   * How long after a step begins durations are left out, ms: caches are cold then. Failures count from the start.
   * @defaultValue 300,000
   */
  readonly warmUpMs?: number;
}

/** What shadow mode takes. */
export interface ShadowGate extends StepGate {
  /** Share of sessions that are shadowed, 0 … 100. @defaultValue 5 */
  readonly percent: number;
  /**
   * Least time in shadow, ms; evidence cannot shorten it, only the override `override:shadow-time`. @defaultValue 7
   * days
   */
  readonly leastMs: number;
  /** @defaultValue 3000 */
  readonly minCompared: number;
  /** Errors and timeouts of the new engine, 0 … 1. @defaultValue 0.001 */
  readonly maxErrorShare: number;
  /** Upper 95 % limit of mismatches beyond noise, 0 … 1. @defaultValue 0.01 */
  readonly maxMismatchShare: number;
}

/** What the whole traffic takes, and what comes after. */
export interface FullGate extends StepGate {
  /** Percent kept on legacy as a control; 0 for none. @defaultValue 5 */
  readonly holdBack: number;
  /**
   * Least clean time in `full` before the old endpoints may answer 410, ms; only the override `override:clean-time`
   * shortens it. @defaultValue 7 days
   */
  readonly cleanMs: number;
  /** Unpinned calls of the old endpoints in the last day that still count as none. @defaultValue 0 */
  readonly maxLegacyUsage: number;
}

/** A plan with every default filled in. */
export interface RolloutPlan {
  readonly owner: string;
  readonly shadow: ShadowGate;
  readonly steps: readonly CanaryStep[];
  readonly full: FullGate;
  readonly limits: GuardLimits;
  readonly rollback: "automatic" | "confirm";
  readonly coolDownMs: number;
  readonly warmUpMs: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What people attest before the candidate sees real traffic. */
export const shadowEvidence: readonly string[] = [
  "training",
  "on-call",
  "monitoring",
  "backup",
  "dates",
  "escalation",
  "no-regression",
  "performance-baseline",
];
/** What people attest before everybody is served by the candidate. */
export const fullEvidence: readonly string[] = ["customer-notice", "rollback-rehearsal×3"];

const duration = z.number().min(0);
/** A window, as plans and policies write it. */
export const windowSchema = z.strictObject({
  days: z.array(z.int().min(0).max(6)).optional(),
  from: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
  to: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
  timeZone: z.string().refine(isTimeZone, "not an IANA time zone").optional(),
});
const gate = {
  observeMs: duration.optional(),
  minSessions: z.int().min(0).optional(),
  window: windowSchema.optional(),
  smokeMaxAgeMs: duration.optional(),
  approvals: z.array(z.enum(["technical", "operational"])).optional(),
  evidence: z.array(z.string().min(1)).optional(),
  checks: z.array(z.string().min(1)).optional(),
  automatic: z.boolean().optional(),
};
const percent = z.number().min(0).max(100);
const share = z.number().min(0).max(1);
/** Every guard, for schemas. */
export const guardNames = [
  "critical",
  "persistence",
  "errors",
  "incomplete",
  "latency",
  "unknown",
  "error-ceiling",
  "latency-ceiling",
  "action-failures",
  "cost",
  "steps",
  "frozen-baseline",
  "sample-ratio",
  "silence",
] as const satisfies readonly GuardName[];
const positive = z.number().positive();
const limitsSchema = z.strictObject({
  disabled: z.array(z.enum(guardNames)),
  required: z.array(z.enum(guardNames)),
  pauseAt: positive,
  rollbackAt: positive,
  ratio: positive,
  latencyRatio: positive,
  sessions: z.int().min(1),
  errorCeiling: share,
  latencyCeilingMs: positive,
  costRatio: positive,
  stepsRatio: positive,
  baselineShare: share,
  baselineAt: positive,
  sampleRatioAt: positive,
  silenceAt: positive,
  silenceBlocks: z.int().min(1),
  silenceExpected: positive,
  criticalCalls: z.int().min(1),
  criticalOperations: z.record(z.string(), z.int().min(1)),
  criticalErrors: z.array(z.string()),
});
const schema = z.strictObject({
  owner: z.string().min(1),
  shadow: z
    .strictObject({
      ...gate,
      percent,
      leastMs: duration,
      minCompared: z.int().min(0),
      maxErrorShare: share,
      maxMismatchShare: share,
    })
    .partial()
    .optional(),
  steps: z.array(z.strictObject({ ...gate, percent })).optional(),
  full: z
    .strictObject({ ...gate, holdBack: percent, cleanMs: duration, maxLegacyUsage: z.int().min(0) })
    .partial()
    .optional(),
  limits: limitsSchema.partial().optional(),
  rollback: z.enum(["automatic", "confirm"]).optional(),
  coolDownMs: duration.optional(),
  warmUpMs: duration.optional(),
});

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/**
 * Fills in a plan.
 *
 * @throws HebraError `INVALID_OPTIONS`, also when the percentages do not grow.
 *
 * @example
 * ```ts
 * import { rolloutPlan } from "@hebra/flags/rollout";
 *
 * const plan = rolloutPlan({ owner: "team-threads", steps: [{ percent: 10, observeMs: 3_600_000, minSessions: 200 }],
 * full: { holdBack: 0 } });
 * console.log(plan.steps.length, plan.shadow.percent); // 1 5
 * ```
 */
export function rolloutPlan(input: RolloutPlanInput): RolloutPlan {
  // zod makes optional members `T | undefined`; what is undefined is left out again by the spreads below.
  const parsed = parseOptions("rolloutPlan", schema, input) as RolloutPlanInput;
  const steps = parsed.steps ?? [
    { percent: 1, observeMs: 30 * MINUTE, minSessions: 30 },
    { percent: 10, observeMs: HOUR, minSessions: 100 },
    { percent: 25, observeMs: DAY, minSessions: 500 },
    { percent: 50, observeMs: DAY, minSessions: 1_000 },
  ];
  steps.forEach((step, at) => {
    const before = steps[at - 1]?.percent ?? 0;
    if (step.percent <= before)
      throw new HebraError(
        "INVALID_OPTIONS",
        `rolloutPlan: \`steps.${at}.percent\` is ${step.percent}; it must be larger than ${before}.`,
      );
  });
  return {
    owner: parsed.owner,
    shadow: {
      percent: 5,
      leastMs: 7 * DAY,
      minCompared: 3_000,
      maxErrorShare: 0.001,
      maxMismatchShare: 0.01,
      evidence: shadowEvidence,
      ...parsed.shadow,
    },
    steps,
    full: {
      holdBack: 5,
      observeMs: DAY,
      cleanMs: 7 * DAY,
      maxLegacyUsage: 0,
      minSessions: 0,
      approvals: ["technical", "operational"],
      evidence: fullEvidence,
      ...parsed.full,
    },
    limits: { ...defaultGuardLimits, ...parsed.limits },
    rollback: parsed.rollback ?? "automatic",
    coolDownMs: parsed.coolDownMs ?? 15 * MINUTE,
    warmUpMs: parsed.warmUpMs ?? 5 * MINUTE,
  };
}

/** What entering or leaving a phase takes; `undefined` for phases without a gate. */
export function gateOf(plan: RolloutPlan, phase: Phase): StepGate | undefined {
  const active = activePhase(phase);
  switch (active?.name) {
    case "shadow":
      return plan.shadow;
    case "canary":
      return plan.steps[active.step];
    case "full":
      return plan.full;
    default:
      return undefined;
  }
}

/** The share of sessions that a phase gives to the new arm, 0 … 1. */
export function shareOf(plan: RolloutPlan, phase: Phase, holdBack: number): number {
  const active = activePhase(phase);
  if (active?.name === "canary") return Math.min(plan.steps[active.step]?.percent ?? 0, 100 - holdBack) / 100;
  if (active?.name === "full") return (100 - holdBack) / 100;
  return 0;
}
