import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addCounts, compactBlocks, noCounts, totals, type ArmCounts, type CounterBlock } from "../counters.ts";
import { evaluateGuards } from "./evaluate.ts";
import { logGamma } from "./integrity.ts";
import { averagedLogE, noEvidence } from "./mixture.ts";
import { wilsonUpper } from "./frozen-baseline.ts";
import { defaultGuardLimits, type GuardAction, type GuardInput, type GuardLimits, type GuardName } from "./types.ts";

const arm = (assigned: number, more: Partial<ArmCounts> = {}): ArmCounts => ({
  ...noCounts,
  assigned,
  exposed: assigned,
  judged: assigned,
  called: assigned,
  sampled: assigned,
  timed: assigned,
  costed: assigned,
  stepped: assigned,
  ...more,
});
const block = (fresh: ArmCounts, legacy: ArmCounts, more: Partial<CounterBlock> = {}): CounterBlock => ({
  start: 0,
  end: 60_000,
  new: fresh,
  legacy,
  ...more,
});
const limits: GuardLimits = {
  ...defaultGuardLimits,
  criticalOperations: { ingest: 20 },
  criticalErrors: ["DATA_LOSS"],
};

/**
 * Two blocks of a healthy 10 % canary: 1 % of sessions fail in both arms, 5 % of sampled turns exceed each frozen
 * limit.
 */
const healthyNew = arm(100, { failed: 1, unknown: 0, actionFailed: 1, slow: 5, costly: 5, long: 5 });
const healthyLegacy = arm(900, { failed: 7, unknown: 2, actionFailed: 9, slow: 45, costly: 45, long: 45 });
const input = (blocks: readonly CounterBlock[], more: Partial<GuardInput> = {}): GuardInput => ({
  share: 0.1,
  restarts: 5,
  completed: [],
  blocks,
  ...more,
});
const healthy = (
  fresh: Partial<ArmCounts> = {},
  legacy: Partial<ArmCounts> = {},
  extra: Partial<CounterBlock> = {},
): CounterBlock[] => [
  block(healthyNew, healthyLegacy),
  block({ ...healthyNew, ...fresh }, { ...healthyLegacy, ...legacy }, extra),
];

interface Scenario {
  readonly guard: GuardName;
  readonly what: string;
  readonly action: GuardAction;
  readonly fires: GuardInput;
  /** The nearest harmless situation. */
  readonly harmless: GuardInput;
  readonly why: string;
}

const scenarios: Scenario[] = [
  {
    // A legacy arm over the ceiling switches the ceiling off, so that the comparison alone speaks.
    guard: "errors",
    what: "ten times as many failing sessions as on the legacy arm",
    action: "rollback",
    fires: input(healthy({ failed: 22 }, { failed: 15 })),
    why: "both arms fail alike, as in an outage outside",
    harmless: input(healthy({ failed: 22 }, { failed: 200 })),
  },
  {
    guard: "errors",
    what: "evidence without a doubled share",
    action: "pause",
    fires: input([block(arm(5_000, { failed: 105 }), arm(5_000, { failed: 54 }))], { share: 0.5 }),
    why: "a third more, with few sessions",
    harmless: input([block(arm(500, { failed: 8 }), arm(500, { failed: 6 }))], { share: 0.5 }),
  },
  {
    guard: "latency",
    what: "half of the turns over the frozen p95",
    action: "rollback",
    fires: input(healthy({ slow: 50 }), { p95: { new: 1_800, legacy: 900 } }),
    why: "both arms slow down together",
    harmless: input(healthy({ slow: 50 }, { slow: 450 }), { p95: { new: 1_800, legacy: 1_800 } }),
  },
  {
    guard: "unknown",
    what: "incidents that no rule knows on the new arm only",
    action: "rollback",
    fires: input(healthy({ unknown: 8 })),
    why: "a single one",
    harmless: input(healthy({ unknown: 1 })),
  },
  {
    guard: "error-ceiling",
    what: "an absolute failing share of 4 % with no legacy arm that shows it sooner",
    action: "rollback",
    fires: input([block(arm(400, { failed: 16 }), arm(20, { failed: 0 }))], {
      share: 0.95,
      baseline: arm(1_000, { failed: 40 }),
    }),
    why: "the legacy arm is itself over the ceiling",
    harmless: input([block(arm(400, { failed: 16 }), arm(20, { failed: 1 }))], {
      share: 0.95,
      baseline: arm(1_000, { failed: 40 }),
    }),
  },
  {
    guard: "latency-ceiling",
    what: "a fifth of the turns over two seconds although the legacy arm is no better known",
    action: "rollback",
    fires: input([block(arm(200, { overLimit: 40 }), arm(200, { overLimit: 9 }))], { share: 0.5 }),
    why: "the legacy arm is over it too",
    harmless: input([block(arm(200, { overLimit: 40 }), arm(200, { overLimit: 40 }))], { share: 0.5 }),
  },
  {
    guard: "action-failures",
    what: "failing action calls",
    action: "rollback",
    fires: input(healthy({ actionFailed: 20 })),
    why: "they fail on both engines",
    harmless: input(healthy({ actionFailed: 20 }, { actionFailed: 180 })),
  },
  {
    guard: "cost",
    what: "dear turns and a higher mean",
    action: "pause",
    fires: input(healthy({ costly: 40 }), { meanCost: { new: 1_500, legacy: 1_000 } }),
    why: "a longer tail but the same mean",
    harmless: input(healthy({ costly: 40 }), { meanCost: { new: 1_050, legacy: 1_000 } }),
  },
  {
    guard: "steps",
    what: "long turns and a higher mean",
    action: "pause",
    fires: input(healthy({ long: 40 }), { meanSteps: { new: 6, legacy: 4 } }),
    why: "a longer tail but the same mean",
    harmless: input(healthy({ long: 40 }), { meanSteps: { new: 4.1, legacy: 4 } }),
  },
  {
    guard: "incomplete",
    what: "answers that end before they are complete",
    action: "pause",
    fires: input(healthy({ incomplete: 30 }, { incomplete: 9 })),
    why: "they do so on both engines",
    harmless: input(healthy({ incomplete: 30 }, { incomplete: 270 })),
  },
  {
    guard: "critical",
    what: "action calls of which none succeeds",
    action: "rollback",
    fires: input(healthy({ calls: 10, callFailures: 10, actionFailed: 3 }, { calls: 90, callFailures: 1 })),
    why: "none succeeds on the legacy engine either",
    harmless: input(healthy({ calls: 10, callFailures: 10, actionFailed: 3 }, { calls: 90, callFailures: 90 })),
  },
  {
    guard: "persistence",
    what: "one verified execution with a missing row",
    action: "rollback",
    fires: input(healthy(), { persistence: { checked: 50, missing: 1 } }),
    why: "all verified ones are complete",
    harmless: input(healthy(), { persistence: { checked: 5_000, missing: 0 } }),
  },
  {
    guard: "critical",
    what: "an operation without a single success",
    action: "rollback",
    fires: input(healthy({}, {}, { operations: { ingest: { attempts: 20, successes: 0 } } })),
    why: "too few attempts to tell",
    harmless: input(healthy({}, {}, { operations: { ingest: { attempts: 19, successes: 0 } } })),
  },
  {
    guard: "critical",
    what: "a listed error class",
    action: "rollback",
    fires: input(healthy({}, {}, { errorClasses: { DATA_LOSS: 1 } })),
    why: "a class that is not listed",
    harmless: input(healthy({}, {}, { errorClasses: { TIMEOUT: 9 } })),
  },
  {
    guard: "frozen-baseline",
    what: "a rise against the last step that had a full control",
    action: "pause",
    fires: input(
      [
        block(arm(2_000, { failed: 14 }), arm(100, { failed: 0 })),
        block(arm(2_000, { failed: 14 }), arm(100, { failed: 1 })),
      ],
      { share: 0.95, baseline: arm(20_000, { failed: 20 }) },
    ),
    why: "the same figures with a concurrent control half the size",
    harmless: input([block(arm(2_000, { failed: 14 }), arm(2_000, { failed: 12 }))], {
      share: 0.5,
      baseline: arm(20_000, { failed: 20 }),
    }),
  },
  {
    guard: "sample-ratio",
    what: "a new arm with half of its planned sessions",
    action: "pause",
    fires: input([block(arm(100), arm(1_900)), block(arm(100), arm(1_900))]),
    why: "an ordinary deviation",
    harmless: input([block(arm(185), arm(1_815)), block(arm(190), arm(1_810))]),
  },
  {
    guard: "silence",
    what: "a new arm of which nothing is heard",
    action: "pause",
    fires: input([block(arm(11), arm(89)), block(arm(0), arm(100)), block(arm(0), arm(100))]),
    why: "too little traffic to expect any",
    harmless: input([block(arm(2), arm(18)), block(arm(0), arm(20)), block(arm(0), arm(18))]),
  },
  {
    guard: "silence",
    what: "a new arm whose sessions start and never end a turn",
    action: "pause",
    fires: input([
      block(arm(20), arm(180)),
      block(arm(3, { exposed: 0 }), arm(27)),
      block(arm(4, { exposed: 0 }), arm(36)),
    ]),
    why: "a turn ended",
    harmless: input([
      block(arm(20), arm(180)),
      block(arm(3, { exposed: 1 }), arm(27)),
      block(arm(4, { exposed: 0 }), arm(36)),
    ]),
  },
];

describe("each guard", () => {
  it("is quiet together with all others on a healthy canary", () => {
    const report = evaluateGuards(input(healthy()), limits);
    expect(report).toMatchObject({ action: "quiet" });
    expect(report.verdicts).toHaveLength(14);
  });

  for (const { guard, what, action, fires, harmless, why } of scenarios) {
    it(`${guard}: alone asks for ${action} on ${what}; not when ${why}`, () => {
      const loud = evaluateGuards(fires, limits).verdicts.filter((verdict) => verdict.action !== "quiet");
      expect(loud.map((verdict) => [verdict.guard, verdict.action])).toEqual([[guard, action]]);
      const calm = evaluateGuards(harmless, limits).verdicts.filter((verdict) => verdict.action !== "quiet");
      expect(calm).toEqual([]);
    });
  }

  it("has a scenario", () => {
    const named = new Set(scenarios.map((scenario) => scenario.guard));
    expect(evaluateGuards(input(healthy()), limits).verdicts.filter((verdict) => !named.has(verdict.guard))).toEqual(
      [],
    );
  });
});

describe("a guard's answer", () => {
  const answers = (more: Partial<GuardInput>, changed: Partial<GuardLimits> = {}) =>
    Object.fromEntries(
      evaluateGuards(input([], more), { ...limits, criticalOperations: {}, ...changed }).verdicts.map((one) => [
        one.guard,
        one.answer,
      ]),
    );

  it("is no data, not ok, where nothing was measured [FL-12]", () => {
    const { silence, "frozen-baseline": baseline, ...rest } = answers({});
    expect(new Set(Object.values(rest))).toEqual(new Set(["no-data"]));
    expect([silence, baseline]).toEqual(["no-data", "off"]);
    const blind = arm(100, { judged: 0, called: 0, sampled: 0, timed: 0, costed: 0, stepped: 0 });
    expect(answers({ blocks: [block(blind, blind)], share: 0.5 })).toMatchObject({
      errors: "no-data",
      latency: "no-data",
      cost: "no-data",
      "action-failures": "no-data",
      "error-ceiling": "no-data",
      "sample-ratio": "ok",
    });
  });

  it("is ok, breach or off", () => {
    const blocks = healthy({ failed: 22 }, { failed: 15 });
    expect(answers({ blocks }, { disabled: ["steps"] })).toMatchObject({ errors: "breach", cost: "ok", steps: "off" });
  });
});

describe("guards together", () => {
  it("only hold when there is no data, and say so when the counters cannot be read", () => {
    expect(evaluateGuards(input([]), limits)).toMatchObject({ action: "hold", cause: "silence" });
    expect(evaluateGuards(input([], { unreadable: "Redis is away" }), limits).reason).toContain("Redis is away");
  });

  it("roll back although another guard only pauses", () => {
    const both = input(healthy({ actionFailed: 20 }), { persistence: { checked: 9, missing: 2 } });
    expect(evaluateGuards(both, limits)).toMatchObject({ action: "rollback", cause: "persistence" });
  });

  it("say that a ceiling is off, and why", () => {
    const found = evaluateGuards(input(healthy({}, { failed: 40 })), limits).verdicts.find(
      (verdict) => verdict.guard === "error-ceiling",
    );
    expect(found?.off).toMatch(/legacy arm is itself over/);
  });

  it("find harm that begins in a later step in spite of a long clean record", () => {
    const clean = { share: 0.1, new: arm(2_000, { failed: 20 }), legacy: arm(18_000, { failed: 180 }) };
    const late = input([block(arm(250, { failed: 25 }), arm(750, { failed: 8 }))], {
      share: 0.25,
      completed: [clean, clean, clean],
    });
    expect(evaluateGuards(late, { ...limits, disabled: ["error-ceiling"] })).toMatchObject({
      action: "rollback",
      cause: "errors",
    });
  });

  it("are not asked when disabled", () => {
    const report = evaluateGuards(input(healthy(), { persistence: { checked: 9, missing: 2 } }), {
      ...limits,
      disabled: ["persistence"],
    });
    expect(report.action).toBe("quiet");
  });
});

describe("the mathematics", () => {
  it("starts every average at E = 1 and never starts below its share of untouched tests", () => {
    expect(averagedLogE([noEvidence()], 5)).toBeCloseTo(0, 12);
    expect(averagedLogE([noEvidence().map(() => -1e6)], 5)).toBeCloseTo(Math.log(4 / 5), 9);
  });

  it("keeps the mean of the conditional mixture at 1 under the null, whatever the base rate", () => {
    // Exact: the sum over all outcomes of one batch of binomial(failures, share) times E.
    const share = 0.1;
    for (const failures of [1, 4, 9]) {
      let mean = 0;
      let choose = 1;
      for (let fresh = 0; fresh <= failures; fresh++) {
        const report = evaluateGuards(
          input([block(arm(100, { failed: fresh }), arm(900, { failed: failures - fresh }))]),
          limits,
        );
        const { logE } = report.verdicts.find((verdict) => verdict.guard === "errors")!.values;
        mean += choose * share ** fresh * (1 - share) ** (failures - fresh) * Math.exp(logE!);
        choose = (choose * (failures - fresh)) / (fresh + 1);
      }
      expect(mean).toBeCloseTo(1, 4);
    }
  });

  it("knows log Γ and Wilson's limit", () => {
    expect(logGamma(10)).toBeCloseTo(Math.log(362_880), 9);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 9);
    expect(wilsonUpper(0, 100)).toBeCloseTo(0.037, 3);
    expect(wilsonUpper(20, 20_000)).toBeCloseTo(0.001544, 5);
  });

  it("loses no session when blocks are compacted", () => {
    const anyArm = fc
      .integer({ min: 0, max: 50 })
      .chain((assigned) => fc.integer({ min: 0, max: assigned }).map((failed) => arm(assigned, { failed })));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyArm, anyArm), { maxLength: 60 }),
        fc.integer({ min: 3, max: 20 }),
        (pairs, most) => {
          const blocks = pairs.map(([fresh, legacy], at) => block(fresh, legacy, { start: at, end: at + 1 }));
          const fewer = compactBlocks(blocks, most);
          expect(fewer.length).toBeLessThanOrEqual(Math.max(most, 3));
          expect(totals(fewer)).toEqual(totals(blocks));
          expect(fewer.slice(-2)).toEqual(blocks.slice(-2).length < 2 ? fewer.slice(-2) : blocks.slice(-2));
        },
      ),
      { seed: 11, numRuns: 200 },
    );
    expect(addCounts(healthyNew, noCounts)).toEqual(healthyNew);
  });
});
