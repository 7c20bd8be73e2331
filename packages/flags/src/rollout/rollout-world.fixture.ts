import { createManualClock, digest, type ManualClock } from "@hebra/core";
import { createSamples, createRandom, generateBlock, sparse, type ArmBehaviour } from "./workload.ts";
import { noArm, type ArmRow, type CounterRow, type ShadowCounts } from "./counter-row.ts";
import type { CounterBlock } from "./counters.ts";
import type { Notice } from "./notifier.ts";
import { createRolloutController, type RolloutController } from "./controller.ts";
import { guardNames, rolloutPlan, type RolloutPlanInput } from "./plan.ts";
import type { RolloutPolicy } from "./policy.ts";
import { reportItems } from "./report.ts";
import { createRolloutService, type RolloutService } from "./service.ts";
import { memoryRolloutStore } from "./store/memory.ts";
import type { RolloutStore } from "./store/store.ts";

export const BLOCK_MS = 300_000;
export const FLAG = "engine-v2";

/** A rollout with a virtual clock, made-up traffic and everything else real. */
export interface World {
  readonly clock: ManualClock;
  readonly store: RolloutStore;
  readonly service: RolloutService;
  readonly controller: RolloutController;
  readonly notices: Notice[];
  readonly errors: unknown[];
  /** Traffic for so many blocks under the split in force; the clock moves on. */
  traffic(
    blocks: number,
    sessions: number,
    behaviour?: {
      readonly new?: Partial<ArmBehaviour>;
      readonly legacy?: Partial<ArmBehaviour>;
      readonly row?: Partial<CounterRow>;
    },
  ): Promise<void>;
  /** Clean comparisons in shadow. */
  compared(count: number, more?: Partial<ShadowCounts>): Promise<void>;
  start(plan?: Partial<RolloutPlanInput>): Promise<void>;
  attest(...items: string[]): Promise<void>;
}

let mark = 0;
let run = 0;

/** A report with a verdict of yes. The real ones are made in the tests of the shadow. */
export function passingReport(kind: string, more: object = {}): object {
  const report = { kind, at: "2026-02-27T00:00:00.000Z", problems: [], ok: true, ...more };
  return { ...report, digest: digest(report) };
}

function armRow(block: CounterBlock, side: "new" | "legacy", samples: ReturnType<typeof createSamples>): ArmRow {
  const { assigned, exposed, failed, incomplete, unknown, actionFailed } = block[side];
  const marks = (count: number) => Array.from({ length: count }, () => ++mark);
  return {
    assigned,
    exposed,
    failed: marks(failed),
    incomplete: marks(incomplete),
    unknown: marks(unknown),
    actionFailed: marks(actionFailed),
    durations: sparse(samples[side].durations),
    costs: sparse(samples[side].costs),
    steps: sparse(samples[side].steps),
  };
}

/** Refuses nothing, for tests of everything but the policy. */
export const openPolicy: RolloutPolicy = {
  version: 1,
  flags: { "*": { approvals: [], requiredGuards: [], mayDisable: guardNames, maxPercent: 100 } },
};

export function createWorld(
  options: { readonly store?: RolloutStore; readonly seed?: number; readonly policy?: RolloutPolicy } = {},
): World {
  const clock = createManualClock(Date.UTC(2026, 1, 28));
  const store = options.store ?? memoryRolloutStore();
  const notices: Notice[] = [];
  const errors: unknown[] = [];
  const notifiers = [(notice: Notice) => void notices.push(notice)];
  const onError = (error: unknown) => void errors.push(error);
  const service = createRolloutService({
    store,
    clock,
    notifiers,
    onError,
    engines: { legacy: "1.9.0", new: "2.0.0" },
    ...(options.policy === undefined ? {} : { policy: options.policy }),
  });
  const controller = createRolloutController({ service, clock, notifiers, onError });
  const random = createRandom(options.seed ?? 1);
  let source = 0;
  return {
    clock,
    store,
    service,
    controller,
    notices,
    errors,
    async traffic(blocks, sessions, behaviour = {}) {
      for (let at = 0; at < blocks; at++) {
        const start = clock.now();
        const { share } = await service.status(FLAG);
        const samples = createSamples();
        const block = generateBlock(
          random,
          {
            start,
            end: start + BLOCK_MS,
            sessions,
            share,
            new: { failing: 0.004, ...behaviour.new },
            legacy: { failing: 0.004, ...behaviour.legacy },
          },
          samples,
        );
        await clock.advance(BLOCK_MS);
        await store.report([
          {
            flag: FLAG,
            source: `p${source++ % 3}`,
            sequence: 1,
            start,
            end: start + BLOCK_MS,
            new: armRow(block, "new", samples),
            legacy: armRow(block, "legacy", samples),
            ...behaviour.row,
          },
        ]);
      }
    },
    async compared(count, more = {}) {
      const start = clock.now();
      const shadow: ShadowCounts = {
        compared: count,
        equal: count,
        mismatched: 0,
        onlyNewFailed: 0,
        onlyLegacyFailed: 0,
        bothFailed: 0,
        timedOut: 0,
        dropped: 0,
        ...more,
      };
      await clock.advance(1);
      await store.report([
        { flag: FLAG, source: "shadow", sequence: 1, start, end: start + 1, new: noArm, legacy: noArm, shadow },
      ]);
    },
    async start(plan = {}) {
      await service.act(FLAG, {
        event: "start",
        by: "ana",
        reason: "the new engine is ready",
        plan: rolloutPlan({ owner: "team-threads", ...plan }),
      });
    },
    async attest(...items) {
      for (const item of items)
        await service.act(FLAG, {
          event: "attest",
          by: "ops",
          reason: "done",
          item,
          ...(reportItems.includes(item) ? { report: passingReport(item, { run: ++run }) } : {}),
        });
    },
  };
}

/** A plan with nothing but canary steps in the way. */
export const bare: Partial<RolloutPlanInput> = {
  shadow: { evidence: [], leastMs: 0, minCompared: 0, automatic: true },
  steps: [
    { percent: 10, observeMs: 600_000, minSessions: 20, automatic: true },
    { percent: 50, observeMs: 600_000, minSessions: 50 },
  ],
  full: { evidence: [], approvals: [], observeMs: 600_000 },
  warmUpMs: 0,
};
