import { HebraError, parseOptions } from "@hebra/core";
import * as z from "zod";
import { rolloutPlan, type RolloutPlan, type RolloutPlanInput } from "../plan.ts";

/** How one engine behaves. Shares are of sessions, 0 … 1. */
export interface EngineScenario {
  /** Sessions in trouble. @defaultValue 0.01 */
  readonly failing?: number;
  /** Turns that fail in a session in trouble. @defaultValue 0.6 */
  readonly failingTurns?: number;
  /** Sessions that end without their answer. @defaultValue 0.002 */
  readonly incomplete?: number;
  /** Sessions that meet an UNKNOWN incident. @defaultValue 0.002 */
  readonly unknown?: number;
  /** Sessions with failing action calls. @defaultValue 0.01 */
  readonly actionFailing?: number;
  /** Median turn, milliseconds. @defaultValue 250 */
  readonly medianMs?: number;
  /** Median cost of a turn. @defaultValue 0.01 */
  readonly medianCost?: number;
  /** Median steps of a turn. @defaultValue 4 */
  readonly medianSteps?: number;
}

/** What differs on the new engine, as multiples of the old engine's figures. 1 is no difference. */
export interface NewEngineScenario {
  readonly failingTimes?: number;
  readonly incompleteTimes?: number;
  readonly unknownTimes?: number;
  readonly actionFailingTimes?: number;
  readonly latencyTimes?: number;
  readonly costTimes?: number;
  readonly stepsTimes?: number;
  /** Turns of each session before the differences in latency, cost and steps begin. @defaultValue 0 */
  readonly afterTurns?: number;
  /** The phase in which the differences begin; before it both engines are alike. @defaultValue `measure` */
  readonly from?: string;
  /** Minutes after that phase is entered. @defaultValue 0 */
  readonly afterMinutes?: number;
  /** Cold caches: turns take `times` as long when a step begins, and `exp(-t / minutes)` of the excess is left. */
  readonly warmUp?: { readonly times: number; readonly minutes: number };
}

/** A session of one tenant with many failing turns. */
export interface BotScenario {
  /** Minutes after the measured phase is entered. */
  readonly afterMinutes: number;
  /** Turns, all failing. */
  readonly turns: number;
  readonly arm: "new" | "legacy";
}

/** What `hebra rollout simulate` plays, as its JSON file has it. Every member but `name` has a default. */
export interface Scenario {
  readonly $schema?: string;
  readonly name: string;
  /** One sentence for the report. */
  readonly title?: string;
  /** Everything that differs from the default plan. Shadow takes no time in a simulation. */
  readonly plan?: Omit<RolloutPlanInput, "owner"> & { readonly owner?: string };
  /**
   * The phase that the figures are about. The run ends when the rollout leaves it forward. @defaultValue "canary(1)"
   */
  readonly measure?: string;
  /** Where a run ends if nothing ends it sooner, simulated hours in the measured phase. @defaultValue 48 */
  readonly hours?: number;
  /** Time between two looks of the controller, seconds. @defaultValue 30 */
  readonly tickSeconds?: number;
  /** Minutes that the clock of each process is wrong. As many processes serve turns. @defaultValue `[0, 0]` */
  readonly clocksMinutes?: readonly number[];
  /** What the flag is drawn by. @defaultValue "session" */
  readonly unit?: "session" | "org";
  readonly traffic?: {
    /** @defaultValue 60 */
    readonly sessionsPerHour?: number;
    /**
     * Weights of the 24 hours of a day, of any scale.
     *
     * @defaultValue a working day: the busiest hour has five times the traffic of the quietest
     */
    readonly hourly?: readonly number[];
    /** Mean number of turns of a session; geometric. @defaultValue 5 */
    readonly turns?: number;
    /** Mean pause between two turns of a session, seconds; exponential. @defaultValue 60 */
    readonly pauseSeconds?: number;
    /** @defaultValue 20 */
    readonly tenants?: number;
    /** Sizes fall as `1 / rank^skew`. @defaultValue 1 */
    readonly skew?: number;
    /** Share of the largest tenant, in place of its rank's. */
    readonly largest?: number;
    /** Spread of the logarithm of each tenant's own failure rate around the mean. @defaultValue 0.5 */
    readonly tenantSpread?: number;
    /** Spread of the logarithm of durations and costs. @defaultValue 1.2 */
    readonly sigma?: number;
    /** Share of that variance that all turns of a session have in common. @defaultValue 0.4 */
    readonly correlation?: number;
    /** By how much both engines' durations and failures grow in a day, as a factor. @defaultValue 1 */
    readonly drift?: number;
    /** @defaultValue none */
    readonly bots?: readonly BotScenario[];
  };
  readonly legacy?: EngineScenario;
  readonly new?: NewEngineScenario;
  /** What a study of many runs must find; the command exits with 2 when it does not. */
  readonly expect?: {
    /** Most rollbacks, share of runs. */
    readonly rollbacks?: number;
    /** One-sided 95 % upper limit of that share. */
    readonly rollbacksUpper?: number;
    /** Most runs with a pause, share of runs. */
    readonly pauses?: number;
    /** Least share of runs in which the harm is found. */
    readonly found?: number;
    /** 90th percentile of new-arm sessions from the harm's beginning until a pause or rollback. */
    readonly foundWithin?: number;
  };
}

const share = z.number().min(0).max(1);
const positive = z.number().positive();
const phase = z.string().regex(/^(canary\(\d+\)|full)$/, 'must be "canary(0)", "canary(1)" … or "full"');
/** A working day in one time zone: quiet nights, two peaks. */
const workingDay = [2, 2, 2, 2, 2, 3, 5, 7, 9, 10, 10, 9, 8, 9, 10, 10, 9, 8, 7, 6, 5, 4, 3, 2];

const schema = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().min(1),
  title: z.string().optional(),
  plan: z.looseObject({}).default({}),
  measure: phase.default("canary(1)"),
  hours: positive.default(48),
  tickSeconds: positive.default(30),
  clocksMinutes: z.array(z.number()).min(1).max(16).default([0, 0]),
  unit: z.enum(["session", "org"]).default("session"),
  traffic: z
    .strictObject({
      sessionsPerHour: positive.default(60),
      hourly: z.array(z.number().min(0)).length(24, "must have 24 weights, one for each hour").default(workingDay),
      turns: z.number().min(1).default(5),
      pauseSeconds: z.number().min(0).default(60),
      tenants: z.int().min(1).max(10_000).default(20),
      skew: z.number().min(0).default(1),
      largest: share.optional(),
      tenantSpread: z.number().min(0).max(3).default(0.5),
      sigma: z.number().min(0).max(5).default(1.2),
      correlation: share.default(0.4),
      drift: positive.default(1),
      bots: z
        .array(
          z.strictObject({
            afterMinutes: z.number().min(0),
            turns: z.int().min(1),
            arm: z.enum(["new", "legacy"]),
          }),
        )
        .default([]),
    })
    .prefault({})
    .refine(({ hourly }) => hourly.some((weight) => weight > 0), "`hourly` needs an hour with traffic"),
  legacy: z
    .strictObject({
      failing: share.default(0.01),
      failingTurns: share.default(0.6),
      incomplete: share.default(0.002),
      unknown: share.default(0.002),
      actionFailing: share.default(0.01),
      medianMs: positive.default(250),
      medianCost: positive.default(0.01),
      medianSteps: positive.default(4),
    })
    .prefault({}),
  new: z
    .strictObject({
      failingTimes: z.number().min(0).default(1),
      incompleteTimes: z.number().min(0).default(1),
      unknownTimes: z.number().min(0).default(1),
      actionFailingTimes: z.number().min(0).default(1),
      latencyTimes: positive.default(1),
      costTimes: positive.default(1),
      stepsTimes: positive.default(1),
      afterTurns: z.int().min(0).default(0),
      from: phase.optional(),
      afterMinutes: z.number().min(0).default(0),
      warmUp: z.strictObject({ times: positive, minutes: positive }).optional(),
    })
    .prefault({}),
  expect: z
    .strictObject({
      rollbacks: share.optional(),
      rollbacksUpper: share.optional(),
      pauses: share.optional(),
      found: share.optional(),
      foundWithin: positive.optional(),
    })
    .prefault({}),
});

/** A scenario with every default filled in. */
export type FilledScenario = Omit<z.output<typeof schema>, "plan"> & {
  readonly plan: RolloutPlan;
  /** Whether the new engine differs from the old one. */
  readonly harmful: boolean;
};

const DAY = 86_400_000;

/**
 * Checks a scenario and fills in its defaults. The plan's is the default plan, with every step observed for 24 hours
 * and a first step that lasts until both arms have data.
 *
 * @throws HebraError `INVALID_OPTIONS` that names each member that is wrong, with a suggestion for an unknown one.
 */
export function parseScenario(input: unknown, where = "The scenario"): FilledScenario {
  const parsed = parseOptions(where, schema, input);
  if (parsed.plan["shadow"] !== undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      `${where}: leave \`plan.shadow\` out. Shadow takes no time in a simulation.`,
    );
  const plan = rolloutPlan({
    owner: "simulation",
    steps: [
      { percent: 1, minSessions: 1 },
      { percent: 10, observeMs: DAY, minSessions: 100 },
      { percent: 25, observeMs: DAY, minSessions: 500 },
      { percent: 50, observeMs: DAY, minSessions: 1_000 },
    ],
    ...(parsed.plan as Partial<RolloutPlanInput>),
    shadow: { evidence: [], leastMs: 0, minCompared: 0 },
  });
  for (const phase of [parsed.measure, parsed.new.from ?? parsed.measure])
    if (phase !== "full" && Number(phase.slice("canary(".length, -1)) >= plan.steps.length)
      throw new HebraError(
        "INVALID_OPTIONS",
        `${where}: The plan has no phase ${phase}. Its steps are canary(0) to canary(${plan.steps.length - 1}); after them comes full.`,
      );
  const { failingTimes, incompleteTimes, unknownTimes, actionFailingTimes, latencyTimes, costTimes, stepsTimes } =
    parsed.new;
  const times = [failingTimes, incompleteTimes, unknownTimes, actionFailingTimes, latencyTimes, costTimes, stepsTimes];
  return { ...parsed, plan, harmful: times.some((factor) => factor !== 1) };
}
