import { noCounts, type ArmCounts, type CounterBlock } from "./counters.ts";
import { firstBucketOver, type Histogram } from "./histogram.ts";
import { normalQuantile } from "./normal.ts";

/** How one arm behaves in a simulation. */
export interface ArmBehaviour {
  /** Share of sessions that fail, 0 … 1. */
  readonly failing: number;
  /** Share of sessions with a turn that ends without its answer. @defaultValue 0 */
  readonly incomplete?: number;
  /** Share of sessions that meet an UNKNOWN incident. @defaultValue 0.002 */
  readonly unknown?: number;
  /** Share of sessions with a failing action call. @defaultValue 0.01 */
  readonly actionFailing?: number;
  /** Median turn, ms; durations are log-normal. @defaultValue 400 */
  readonly medianMs?: number;
  /** Spread of the logarithm of durations. @defaultValue 0.5 */
  readonly sigma?: number;
  /** Median cost of a turn, any unit. @defaultValue 1000 */
  readonly medianCost?: number;
  /** Median steps of a turn. @defaultValue 4 */
  readonly medianSteps?: number;
}

/** What the generator needs to know for one block. */
export interface BlockRequest {
  readonly start: number;
  readonly end: number;
  readonly sessions: number;
  /** Share of the new arm, 0 … 1. */
  readonly share: number;
  readonly new: ArmBehaviour;
  readonly legacy: ArmBehaviour;
  /** Frozen limits of the running step; absent ones count nothing. */
  readonly slowOver?: number;
  readonly costOver?: number;
  readonly stepsOver?: number;
  /** @defaultValue 2000 */
  readonly ceilingMs?: number;
}

/** Durations, costs and steps of one arm since the step began, by bucket of a {@link Histogram}. */
export interface ArmSamples {
  readonly durations: Int32Array;
  readonly costs: Int32Array;
  readonly steps: Int32Array;
  /**
   * Failed requests: a failing session retries, five times on average. Nothing counts them; they show what a count by
   * request would see.
   */
  requestErrors: number;
}

/** The samples of both arms, to which {@link generateBlock} adds. */
export interface StepSamples {
  readonly new: ArmSamples;
  readonly legacy: ArmSamples;
}

/** No samples yet. */
export function createSamples(): StepSamples {
  const arm = (): ArmSamples => ({
    durations: new Int32Array(BUCKETS),
    costs: new Int32Array(BUCKETS),
    steps: new Int32Array(BUCKETS),
    requestErrors: 0,
  });
  return { new: arm(), legacy: arm() };
}

/** A dense histogram as the sparse pairs that are stored and sent. */
export function sparse(counts: Int32Array): Histogram {
  const pairs: [number, number][] = [];
  for (let bucket = 0; bucket < counts.length; bucket++) if (counts[bucket]! > 0) pairs.push([bucket, counts[bucket]!]);
  return pairs;
}

/** Uniform numbers in [0, 1), the same for the same seed: `mulberry32` (Tommy Ettinger, public domain). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Standard normal quantiles at 4,096 points: drawing an index is much cheaper than drawing a normal. */
const normals = Float64Array.from({ length: 4_096 }, (_, index) => normalQuantile((index + 0.5) / 4_096));

type Tally = { -readonly [K in keyof ArmCounts]: number };

const PER_OCTAVE = 16;
const BUCKETS = 40 * PER_OCTAVE;

/** Log-normal values straight into buckets: no value is ever computed, only its logarithm. */
function bucketSampler(median: number, sigma: number): (random: number) => number {
  const origin = Math.log2(median) * PER_OCTAVE;
  const scale = (sigma / Math.LN2) * PER_OCTAVE;
  return (random) => Math.min(BUCKETS - 1, Math.max(0, Math.floor(origin + scale * normals[(random * 4_096) | 0]!)));
}

const over = (limit: number | undefined): number => (limit === undefined ? Infinity : firstBucketOver(limit));

/**
 * Sessions of a made-up workload, counted the way real ones are. For simulations and for the tests of the guards' error
 * rates.
 *
 * @param random - uniform numbers, see {@link createRandom}.
 * @param samples - of the running step; added to.
 */
export function generateBlock(random: () => number, request: BlockRequest, samples: StepSamples): CounterBlock {
  const limits = {
    slow: over(request.slowOver),
    ceiling: over(request.ceilingMs ?? 2_000),
    cost: over(request.costOver),
    steps: over(request.stepsOver),
  };
  const fresh: Tally = { ...noCounts };
  const legacy: Tally = { ...noCounts };
  const addNew = sessionOf(random, request.new, limits, fresh, samples.new);
  const addLegacy = sessionOf(random, request.legacy, limits, legacy, samples.legacy);
  for (let at = 0; at < request.sessions; at++) {
    if (random() < request.share) addNew();
    else addLegacy();
  }
  return { start: request.start, end: request.end, new: fresh, legacy };
}

type BucketLimits = { slow: number; ceiling: number; cost: number; steps: number };

function sessionOf(
  random: () => number,
  behaviour: ArmBehaviour,
  limits: BucketLimits,
  counts: Tally,
  samples: ArmSamples,
): () => void {
  const duration = bucketSampler(behaviour.medianMs ?? 400, behaviour.sigma ?? 0.5);
  const cost = bucketSampler(behaviour.medianCost ?? 1_000, 0.6);
  const steps = bucketSampler(behaviour.medianSteps ?? 4, 0.4);
  const { failing, incomplete = 0, unknown = 0.002, actionFailing = 0.01 } = behaviour;
  return () => {
    counts.assigned++;
    counts.exposed++;
    counts.judged++;
    counts.called++;
    counts.sampled++;
    counts.timed++;
    counts.costed++;
    counts.stepped++;
    if (random() < failing) {
      counts.failed++;
      do samples.requestErrors++;
      while (random() < 0.8);
    }
    if (incomplete > 0 && random() < incomplete) counts.incomplete++;
    if (random() < unknown) counts.unknown++;
    if (random() < actionFailing) counts.actionFailed++;
    const d = duration(random());
    if (d >= limits.slow) counts.slow++;
    if (d >= limits.ceiling) counts.overLimit++;
    samples.durations[d]!++;
    const c = cost(random());
    if (c >= limits.cost) counts.costly++;
    samples.costs[c]!++;
    const s = steps(random());
    if (s >= limits.steps) counts.long++;
    samples.steps[s]!++;
  };
}
