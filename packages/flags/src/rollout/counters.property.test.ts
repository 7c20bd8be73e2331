import { createManualClock } from "@hebra/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Outcome } from "../route/router.ts";
import { createCollector, type Collector } from "./collector.ts";
import type { CounterRow } from "./counter-row.ts";
import { gather } from "./gather.ts";
import { defaultGuardLimits } from "./guards/types.ts";
import { memoryRolloutStore } from "./store/memory.ts";
import type { RolloutStore } from "./store/store.ts";

const BLOCK = 300_000;

/** One turn of a session, and what else happens in it. */
interface Turn {
  readonly session: number;
  /** The process that runs it. The first turn of a session draws it. */
  readonly process: number;
  readonly ok: boolean;
  readonly latencyMs: number;
  readonly unknown: boolean;
  readonly actionFailed: boolean;
  readonly cost: number;
  readonly verified: boolean | undefined;
  /** Minutes that pass before it. */
  readonly wait: number;
  /** Whether its process reports after it. */
  readonly flush: boolean;
}

const turns = fc.array(
  fc.record<Turn>({
    session: fc.integer({ min: 0, max: 12 }),
    process: fc.integer({ min: 0, max: 3 }),
    ok: fc.boolean(),
    latencyMs: fc.integer({ min: 1, max: 9_000 }),
    unknown: fc.boolean(),
    actionFailed: fc.boolean(),
    cost: fc.integer({ min: 1, max: 5_000 }),
    verified: fc.option(fc.boolean(), { nil: undefined }),
    wait: fc.integer({ min: 0, max: 7 }),
    flush: fc.boolean(),
  }),
  { minLength: 1, maxLength: 60 },
);

function outcome(turn: Turn, startedAt: number, at: number): Outcome {
  const arm = turn.session % 3 === 0 ? "control" : "new";
  const mode = arm === "new" ? "new" : "legacy";
  const decision = {
    mode,
    reason: "SPLIT",
    ruleId: "canary",
    bucket: 1,
    arm,
    flagVersion: 1,
    errorCode: undefined,
  } as const;
  return {
    flag: "f",
    session: `s${turn.session}`,
    context: {},
    mode,
    decision,
    arm,
    flagVersion: 1,
    startedAt,
    status: turn.ok ? "ok" : "failed",
    unit: `s${turn.session}`,
    error: turn.ok ? undefined : new Error("boom"),
    latencyMs: turn.latencyMs,
    at,
    fellBack: false,
  };
}

/** A store that hears every report twice, the older ones again and again, and in the wrong order. */
function unreliable(store: RolloutStore): Pick<RolloutStore, "report"> {
  const heard: CounterRow[] = [];
  return {
    async report(rows) {
      heard.push(...(structuredClone(rows) as CounterRow[]));
      await store.report(rows);
      await store.report([...heard].reverse());
      await store.report(heard);
    },
  };
}

/** What the guards see after all turns, when each ran in the process that `processOf` says. */
async function seen(
  all: readonly Turn[],
  processOf: (turn: Turn) => number,
  through: (store: RolloutStore) => Pick<RolloutStore, "report">,
) {
  const clock = createManualClock(0);
  const store = memoryRolloutStore();
  const door = through(store);
  const collectors = new Map<number, Collector>();
  const startedAt = new Map<number, number>();
  for (const turn of all) {
    await clock.advance(turn.wait * 60_000);
    const process = processOf(turn);
    const collector =
      collectors.get(process) ?? createCollector({ store: door, clock, source: `p${process}`, flushMs: 0 });
    collectors.set(process, collector);
    const drawn = startedAt.get(turn.session);
    startedAt.set(turn.session, drawn ?? clock.now());
    const told = outcome(turn, startedAt.get(turn.session)!, clock.now());
    if (drawn === undefined) collector.observer.exposed(told);
    collector.observer.finished(told);
    collector.record("f", told.session, {
      unknown: turn.unknown,
      actionFailed: turn.actionFailed,
      cost: turn.cost,
      steps: 1 + (turn.cost % 7),
    });
    if (turn.verified !== undefined) collector.verified("f", turn.verified);
    if (turn.flush) await collector.flush();
  }
  for (const collector of collectors.values()) await collector.flush();
  const now = clock.now() + BLOCK;
  return gather(await store.counters("f", 0), {
    frozen: { slowOver: 1_000 },
    latencyCeilingMs: defaultGuardLimits.latencyCeilingMs,
    from: 0,
    now,
  });
}

describe("counters", () => {
  it("of many processes, reported late, twice and out of order, are those of one that saw everything", async () => {
    await fc.assert(
      fc.asyncProperty(turns, async (all) => {
        // A session is drawn where its first turn runs, as the router does it.
        const one = await seen(
          all,
          () => 0,
          (store) => store,
        );
        const many = await seen(all, (turn) => turn.process, unreliable);
        expect(many).toEqual(one);
      }),
      { seed: 20261128, numRuns: 150 },
    );
  });
});
