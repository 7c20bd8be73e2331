import { createManualClock, digest, HebraError } from "@hebra/core";
import { createRolloutController, type TickResult } from "./controller.ts";
import { noArm, type ArmRow, type CounterRow } from "./counter-row.ts";
import type { CounterBlock } from "./counters.ts";
import { verifyEvidence, type EvidenceRecord } from "./evidence.ts";
import { phaseLabel } from "./phase.ts";
import type { RolloutPlan } from "./plan.ts";
import { reportItems } from "./report.ts";
import { createRolloutService, type RolloutStatus } from "./service.ts";
import { memoryRolloutStore } from "./store/memory.ts";
import { createRandom, createSamples, generateBlock, sparse, type ArmBehaviour } from "./workload.ts";

/** Options of {@link simulateRollout}. */
export interface SimulationOptions {
  readonly plan: RolloutPlan;
  /** The same seed gives the same run. @defaultValue 1 */
  readonly seed?: number;
  /** @defaultValue 1200 */
  readonly sessionsPerHour?: number;
  /** @defaultValue 0.4 % of sessions fail */
  readonly legacy?: ArmBehaviour;
  /** @defaultValue as the legacy engine */
  readonly next?: ArmBehaviour;
  /** From which phase on `next` holds; before, the new engine behaves like the old one. @defaultValue "canary(0)" */
  readonly from?: string;
  /** Where the run ends if nothing ends it sooner, simulated hours. @defaultValue 24 × 30 */
  readonly maxHours?: number;
  /** Told of each tick. */
  readonly onTick?: (status: RolloutStatus, result: TickResult) => void;
}

/** How a simulated rollout went. */
export interface SimulationResult {
  /** The phase in which it ended. */
  readonly phase: string;
  readonly hours: number;
  /** Sessions that the new engine served. */
  readonly newSessions: number;
  readonly sessions: number;
  /** Failed requests: a failing session retries. */
  readonly requestErrors: number;
  /** The real chain of evidence, verified. */
  readonly evidence: readonly EvidenceRecord[];
}

const BLOCK_MS = 300_000;
const FLAG = "simulated";
/** How long a paused run goes on: six hours. */
const PAUSED_BLOCKS = 72;

/**
 * A rollout on a virtual clock: the real controller, guards, gates and evidence over made-up traffic. Human evidence
 * and approvals are given, and checks say yes, as soon as
 * they are all that is missing. For trying out a plan before it matters.
 *
 * @throws HebraError `INTERNAL` when the evidence does not verify.
 *
 * @example
 * ```ts
 * import { rolloutPlan, simulateRollout } from "@hebra/flags/rollout";
 *
 * const result = await simulateRollout({ plan: rolloutPlan({ owner: "t", shadow: { leastMs: 0, minCompared: 0 } }),
 * next: { failing: 0.1 }, legacy: { failing: 0.01 } });
 * console.log(result.phase); // rolledBack(canary(…))
 * ```
 */
export async function simulateRollout(options: SimulationOptions): Promise<SimulationResult> {
  const {
    plan,
    seed = 1,
    sessionsPerHour = 1_200,
    legacy = { failing: 0.004 },
    next = legacy,
    from = "canary(0)",
    maxHours = 24 * 30,
    onTick,
  } = options;
  const clock = createManualClock();
  const store = memoryRolloutStore();
  const failures: unknown[] = [];
  const names = [plan.shadow, ...plan.steps, plan.full].flatMap(({ checks = [] }) => checks);
  const service = createRolloutService({
    store,
    clock,
    checks: Object.fromEntries(names.map((name) => [name, () => ({ ok: true, detail: "simulated" })])),
  });
  const controller = createRolloutController({ service, clock, onError: (error) => void failures.push(error) });
  const random = createRandom(seed);
  const began = clock.now();
  let [block, newSessions, sessions, requestErrors, paused, reached] = [0, 0, 0, 0, 0, false];
  const act = (command: object) => service.act(FLAG, { by: "simulation", reason: "simulated", ...command } as never);

  await act({ event: "start", plan });
  for (const entry of new Set([
    ...(plan.shadow.evidence ?? []),
    ...plan.steps.flatMap((step) => step.evidence ?? []),
    ...(plan.full.evidence ?? []),
  ])) {
    const [item, times] = entry.split("×") as [string, string | undefined];
    for (let run = 0; run < Number(times ?? 1); run++) {
      const report = { kind: item, at: new Date(clock.now()).toISOString(), ok: true, simulated: true, run };
      await act({
        event: "attest",
        item,
        ...(reportItems.includes(item) ? { report: { ...report, digest: digest(report) } } : {}),
      });
    }
  }
  await act({ event: "smoke", ok: true });
  await act({ event: "advance" });

  let status = await service.status(FLAG);
  while ((clock.now() - began) / 3_600_000 < maxHours) {
    reached ||= status.phase === from;
    const start = clock.now();
    const samples = createSamples();
    // Nothing is decided by the minute in shadow, and it lasts for days.
    const blockMs = status.phase === "shadow" ? 12 * BLOCK_MS : BLOCK_MS;
    const count = Math.round((sessionsPerHour * blockMs) / 3_600_000);
    const made = generateBlock(
      random,
      { start, end: start + blockMs, sessions: count, share: status.share, new: reached ? next : legacy, legacy },
      samples,
    );
    sessions += count;
    newSessions += made.new.assigned;
    requestErrors += samples.new.requestErrors + samples.legacy.requestErrors;
    await clock.advance(blockMs);
    await store.report([
      rowOf(made, samples, block++, status.phase === "shadow" ? Math.round((count * plan.shadow.percent) / 100) : 0),
    ]);
    const [result] = await controller.tick();
    if (failures.length > 0) throw failures[0];
    if (result === undefined) throw new HebraError("INTERNAL", "The simulated rollout vanished.");
    const after = await service.status(FLAG);
    onTick?.(after, result);
    if (after.state.phase.name === "rolledBack") break;
    // A pause keeps the split: what is wrong either shows more clearly soon, or stays for a person to judge.
    paused = after.state.phase.name === "paused" ? paused + 1 : 0;
    if (paused > PAUSED_BLOCKS) break;
    if (after.state.phase.name === "full" && after.gathered.observedMs >= (plan.full.observeMs ?? 0)) break;
    status =
      after.state.phase.name !== "full" && after.state.phase.name !== "paused" && (await helpOn(after, act))
        ? await service.status(FLAG)
        : after;
  }
  const state = (await store.read(FLAG))!;
  const evidence = await store.evidence(FLAG);
  verifyEvidence(evidence, state.head);
  return {
    phase: phaseLabel(state.phase),
    hours: (clock.now() - began) / 3_600_000,
    newSessions,
    sessions,
    requestErrors,
    evidence,
  };
}

/** What people would do: sign, and lead on where the plan leaves it to them. @returns whether anything moved */
async function helpOn(status: RolloutStatus, act: (command: object) => Promise<unknown>): Promise<boolean> {
  const edge = status.edges.find((one) => one.event === "advance");
  if (edge === undefined) return false;
  const rest = edge.missing.filter((one) => !one.item.startsWith("approval:") && one.item !== "smoke");
  if (rest.length > 0) return false;
  for (const { item } of edge.missing) {
    if (item === "smoke") await act({ event: "smoke", ok: true });
    else
      await act({
        event: "approve",
        role: item.slice("approval:".length),
        by: `simulated ${item.slice("approval:".length)}`,
      });
  }
  await act({ event: "advance" });
  return true;
}

function rowOf(
  block: CounterBlock,
  samples: ReturnType<typeof createSamples>,
  index: number,
  compared: number,
): CounterRow {
  let mark = index * 1_000_000;
  const marks = (count: number) => Array.from({ length: count }, () => ++mark);
  const arm = (side: "new" | "legacy"): ArmRow => {
    const { assigned, exposed, failed, incomplete, unknown, actionFailed } = block[side];
    if (assigned === 0) return noArm;
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
  };
  return {
    flag: FLAG,
    source: "simulation",
    sequence: 1,
    start: block.start,
    end: block.end,
    new: arm("new"),
    legacy: arm("legacy"),
    ...(compared === 0
      ? {}
      : {
          shadow: {
            compared,
            equal: compared,
            mismatched: 0,
            onlyNewFailed: 0,
            onlyLegacyFailed: 0,
            bothFailed: 0,
            timedOut: 0,
            dropped: 0,
          },
        }),
  };
}
