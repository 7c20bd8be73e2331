import { describe, expect, it } from "vitest";
import { compactBlocks, totals, type ArmCounts, type CounterBlock, type StepTotals } from "./counters.ts";
import { evaluateGuards } from "./guards/evaluate.ts";
import { defaultGuardLimits, type ArmPair, type GuardInput } from "./guards/types.ts";
import { histogramMean, quantile } from "./histogram.ts";
import { createRandom, createSamples, generateBlock, sparse, type ArmBehaviour, type StepSamples } from "./workload.ts";

/**
 * Whole rollouts of the default plan, every guard and both ceilings on, failing sessions retrying five times on
 * average. A pause does not stop a run: what
 * is counted is every rollback that the guards would ever have ordered. Limits freeze at each step from the step
 * before, as in production.
 */

const shares = [0.01, 0.1, 0.25, 0.5, 0.95];

interface Outcome {
  readonly cause?: string;
  readonly step?: number;
  /** Sessions of the new arm in the step that was rolled back. */
  readonly newSessions: number;
  readonly sessions: number;
  readonly requestErrors: number;
  readonly failing: number;
}

function pair(
  samples: StepSamples,
  kind: "durations" | "costs" | "steps",
  of: (histogram: ReturnType<typeof sparse>) => number | undefined,
): ArmPair {
  const fresh = of(sparse(samples.new[kind]));
  const legacy = of(sparse(samples.legacy[kind]));
  return { ...(fresh === undefined ? {} : { new: fresh }), ...(legacy === undefined ? {} : { legacy }) };
}

const p95 = (histogram: ReturnType<typeof sparse>) => quantile(histogram, 0.95);

interface Run {
  readonly seed: number;
  readonly base: ArmBehaviour;
  /** The new engine, by step. */
  readonly fresh: (step: number) => ArmBehaviour;
  readonly ticks: number;
  readonly sessions: number;
}

function rollout({ seed, base, fresh, ticks, sessions }: Run): Outcome {
  const random = createRandom(seed);
  let previous = createSamples();
  generateBlock(random, { start: 0, end: 1, sessions: 2_000, share: 0, new: base, legacy: base }, previous);
  const completed: StepTotals[] = [];
  let baseline: ArmCounts | undefined;
  let [all, requestErrors, failing] = [0, 0, 0];
  for (const [step, share] of shares.entries()) {
    const limits = {
      slowOver: p95(sparse(previous.legacy.durations))!,
      costOver: p95(sparse(previous.legacy.costs))!,
      stepsOver: p95(sparse(previous.legacy.steps))!,
    };
    const samples = createSamples();
    let blocks: CounterBlock[] = [];
    let newSessions = 0;
    for (let tick = 0; tick < ticks; tick++) {
      const block = generateBlock(
        random,
        { start: tick, end: tick + 1, sessions, share, new: fresh(step), legacy: base, ...limits },
        samples,
      );
      blocks = compactBlocks([...blocks, block], 12);
      newSessions += block.new.assigned;
      all += sessions;
      failing += block.new.failed + block.legacy.failed;
      const input: GuardInput = {
        share,
        restarts: shares.length,
        completed,
        blocks,
        ...(baseline === undefined ? {} : { baseline }),
        p95: pair(samples, "durations", p95),
        meanCost: pair(samples, "costs", histogramMean),
        meanSteps: pair(samples, "steps", histogramMean),
      };
      const report = evaluateGuards(input, defaultGuardLimits);
      if (report.action === "rollback")
        return { cause: report.cause!, step, newSessions, sessions: all, requestErrors, failing };
    }
    requestErrors += samples.new.requestErrors + samples.legacy.requestErrors;
    const sum = totals(blocks);
    completed.push({ share, ...sum });
    if (share <= 0.5) baseline = sum.legacy;
    previous = samples;
  }
  return { newSessions: 0, sessions: all, requestErrors, failing };
}

const count = (values: readonly string[]) =>
  values.reduce<Record<string, number>>((sum, value) => ({ ...sum, [value]: (sum[value] ?? 0) + 1 }), {});

function at(values: readonly number[], q: number): number {
  return [...values].sort((a, b) => a - b)[Math.ceil(q * values.length) - 1]!;
}

describe("false rollbacks: 1,000 harmless rollouts, both engines alike, the legacy p95 just under its ceiling", () => {
  it.each([
    { rate: 0.001, seed: 10_000 },
    { rate: 0.005, seed: 20_000 },
    { rate: 0.009, seed: 30_000 },
  ])("at most 1 % with $rate of all sessions failing", { timeout: 120_000 }, ({ rate, seed }) => {
    const base: ArmBehaviour = { failing: rate, medianMs: 800 };
    const rolledBack: string[] = [];
    let [requestErrors, failing] = [0, 0];
    for (let run = 0; run < 1_000; run++) {
      const outcome = rollout({ seed: seed + run, base, fresh: () => base, ticks: 16, sessions: 160 });
      requestErrors += outcome.requestErrors;
      failing += outcome.failing;
      if (outcome.cause !== undefined) rolledBack.push(outcome.cause);
    }
    expect(requestErrors / failing).toBeGreaterThan(4.5);
    console.log(
      `base rate ${(rate * 100).toFixed(1)} %: ${rolledBack.length} of 1,000 rolled back ${JSON.stringify(count(rolledBack))}`,
    );
    expect(rolledBack.length).toBeLessThanOrEqual(10);
  });
});

describe("harm at a 10 % share, 1 % baseline: new-arm sessions until rollback", () => {
  const base: ArmBehaviour = { failing: 0.01 };
  const detect = (worse: ArmBehaviour, seed: number) => {
    const found: number[] = [];
    let early = 0;
    for (let run = 0; run < 200; run++) {
      const outcome = rollout({
        seed: seed + run,
        base,
        fresh: (step) => (step >= 1 ? worse : base),
        ticks: 100,
        sessions: 20,
      });
      if (outcome.step === 0) early++;
      // One that this step missed counts as found after all of its sessions.
      else found.push(outcome.step === 1 ? outcome.newSessions : 200);
    }
    expect(early).toBeLessThanOrEqual(6);
    const figures = { median: at(found, 0.5), p90: at(found, 0.9) };
    console.log(`${JSON.stringify(worse)}: ${JSON.stringify(figures)}`);
    return figures;
  };

  it(
    "finds ten times as many failing sessions after a median of at most 100 and a 90th percentile of at most 150",
    { timeout: 60_000 },
    () => {
      const { median, p90 } = detect({ failing: 0.1 }, 40_000);
      expect(median).toBeLessThanOrEqual(100);
      expect(p90).toBeLessThanOrEqual(150);
    },
  );

  it(
    "finds a doubled p95 after a median of at most 80 when every turn takes twice as long",
    { timeout: 60_000 },
    () => {
      expect(detect({ failing: 0.01, medianMs: 800 }, 50_000).median).toBeLessThanOrEqual(80);
    },
  );
});
