import { errorCode, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import type { Judgement } from "./evidence.ts";
import { notifyAll, type Notifier } from "./notifier.ts";
import { isRandomised, phaseLabel, type Phase } from "./phase.ts";
import { gateOf } from "./plan.ts";
import { missingFor, type Facts } from "./requirements.ts";
import { nextPhase } from "./machine.ts";
import type { RolloutService } from "./service.ts";
import type { RolloutState } from "./state.ts";

/** The part of `@hebra/lock`'s manager that the controller needs; the host passes the manager in. */
export interface ControllerLocks {
  acquire(
    key: string,
    options?: { ttlMs?: number; waitMs?: number; signal?: AbortSignal },
  ): Promise<{ readonly fence: number; readonly signal: AbortSignal; release(): Promise<void> }>;
}

/** Options of {@link createRolloutController}. */
export interface RolloutControllerOptions {
  readonly service: RolloutService;
  /** One controller leads at a time. Absent: this one always does. */
  readonly locks?: ControllerLocks;
  /** The leadership's lock. @defaultValue "hebra-flags/controller" */
  readonly lockKey?: string;
  /** @defaultValue 30,000 */
  readonly lockTtlMs?: number;
  /** Time between two looks, ms. The guards' error rates do not depend on it. @defaultValue 30,000 */
  readonly tickMs?: number;
  readonly notifiers?: readonly Notifier[];
  /** Told what went wrong in a tick; the controller goes on. @defaultValue nobody */
  readonly onError?: (error: unknown) => void;
  readonly clock?: Clock;
}

/** What one look at one flag led to. */
export interface TickResult {
  readonly flag: string;
  readonly action: "none" | "held" | "paused" | "rolled-back" | "proposed" | "advanced" | "lost";
  readonly phase: string;
  readonly reason: string;
}

const HOUR_MS = 3_600_000;

/** Looks at every rollout, rolls back, pauses and advances. */
export interface RolloutController {
  /** One look at all flags, as the holder of `fence`. */
  tick(fence?: number): Promise<TickResult[]>;
  /** Stands for leadership and ticks while it leads. */
  start(): void;
  /** Whether this controller leads at present. */
  leading(): boolean;
  /** Gives up the leadership and stops; no timer is left. */
  close(): Promise<void>;
}

const schema = z.strictObject({
  service: z.custom<RolloutService>(
    (value) => typeof (value as RolloutService | null)?.act === "function",
    "must be a RolloutService",
  ),
  locks: z
    .custom<ControllerLocks>(
      (value) => typeof (value as ControllerLocks | null)?.acquire === "function",
      "must have acquire()",
    )
    .optional(),
  lockKey: z.string().min(1).default("hebra-flags/controller"),
  lockTtlMs: z.number().positive().default(30_000),
  tickMs: z.number().positive().default(30_000),
  notifiers: z.array(z.custom<Notifier>((value) => typeof value === "function", "must be a function")).default([]),
  onError: z
    .custom<(error: unknown) => void>((value) => typeof value === "function", "must be a function")
    .default(() => () => {}),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock").optional(),
});

/**
 * The second of two brakes (the first is the breaker in each process): one elected controller over the counters of all.
 * Rollback comes before every other
 * check; a look without data changes nothing; each write carries the leadership's fence, so that a controller that was
 * cut off is refused.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createRolloutController, createRolloutService, memoryRolloutStore } from "@hebra/flags/rollout";
 *
 * const service = createRolloutService({ store: memoryRolloutStore() });
 * const controller = createRolloutController({ service, tickMs: 10_000 });
 * controller.start();
 * await controller.close();
 * ```
 */
export function createRolloutController(options: RolloutControllerOptions): RolloutController {
  const {
    service,
    locks,
    lockKey,
    lockTtlMs,
    tickMs,
    notifiers,
    onError,
    clock: given,
  } = parseOptions("createRolloutController", schema, options);
  const clock = given ?? systemClock;
  const stop = new AbortController();
  let leads = false;
  let running: Promise<void> | undefined;

  async function look(flag: string, fence: number | undefined): Promise<TickResult> {
    const state = await service.store.read(flag);
    if (state === undefined) return { flag, action: "none", phase: "off", reason: "There is no rollout." };
    const facts = await service.facts(state);
    await announceOverdue(state, facts.now);
    const { report } = facts;
    const found = await decide(state, facts, fence);
    // After the rollback, which must wait for nothing.
    await service.openIncidents(state, report);
    await forget(state, facts.now);
    return found;
  }

  async function decide(
    state: RolloutState,
    facts: Awaited<ReturnType<RolloutService["facts"]>>,
    fence: number | undefined,
  ): Promise<TickResult> {
    const { flag } = state;
    const { report } = facts;
    const signature = { facts, ...(fence === undefined ? {} : { fence }) };
    const result = (action: TickResult["action"], after: { readonly phase: Phase }, reason: string): TickResult => ({
      flag,
      action,
      phase: phaseLabel(after.phase),
      reason,
    });
    const command = { by: "controller", reason: report.reason, expectedRevision: state.revision };
    const cause = report.cause === undefined ? undefined : ({ kind: "guard", guard: report.cause } as const);
    if (isRandomised(state.phase) && cause !== undefined) {
      if (report.action === "rollback" && state.plan.rollback === "automatic")
        return result(
          "rolled-back",
          await service.act(flag, { ...command, event: "rollback" }, { ...signature, cause }),
          report.reason,
        );
      if (report.action === "rollback" && state.phase.name !== "paused") {
        const after = await service.act(
          flag,
          { ...command, event: "pause", reason: `A rollback is proposed: ${report.reason}` },
          { ...signature, cause },
        );
        await notifyAll(
          notifiers,
          {
            type: "rollback-proposed",
            flag,
            at: new Date(facts.now).toISOString(),
            reason: report.reason,
            evidence: after.evidenceCount,
          },
          onError,
          clock,
        );
        return result("proposed", after, report.reason);
      }
      if (report.action === "pause" && state.phase.name !== "paused")
        return result(
          "paused",
          await service.act(flag, { ...command, event: "pause" }, { ...signature, cause }),
          report.reason,
        );
    }
    return advance(state, facts, signature, result);
  }

  async function advance(
    state: RolloutState,
    facts: Facts & { readonly judgement?: Judgement },
    signature: { readonly facts: typeof facts; readonly fence?: number },
    result: (action: TickResult["action"], after: { readonly phase: Phase }, reason: string) => TickResult,
  ): Promise<TickResult> {
    if (state.phase.name !== "canary" && state.phase.name !== "shadow")
      return result("none", state, "Nothing is due by itself in this phase.");
    const to = nextPhase(state.phase, "advance", { steps: state.plan.steps.length });
    const automatic = gateOf(state.plan, to)?.automatic ?? (state.phase.name === "canary" && to.name === "canary");
    if (!automatic) return result("none", state, `A person leads on to ${phaseLabel(to)}.`);
    const missing = missingFor(state, "advance", facts);
    if (missing.length > 0) return result("held", state, missing.map((one) => one.detail).join(" "));
    const after = await service.act(
      state.flag,
      {
        event: "advance",
        by: "controller",
        reason: "Everything that the plan asks for is there.",
        expectedRevision: state.revision,
      },
      { ...signature, cause: { kind: "schedule" } },
    );
    return result("advanced", after, "Everything that the plan asks for is there.");
  }

  const pruned = new Map<string, number>();
  /** Counters from before the phase are read by nobody any more; they are kept for a day, for people. */
  async function forget({ flag, enteredAt }: RolloutState, now: number): Promise<void> {
    if (now - (pruned.get(flag) ?? 0) < HOUR_MS) return;
    pruned.set(flag, now);
    await service.store.prune(flag, enteredAt - 24 * HOUR_MS).catch(onError);
  }

  const announced = new Set<string>();
  async function announceOverdue(state: RolloutState, now: number): Promise<void> {
    for (const { id, dueAt, closedAt } of state.postmortems) {
      if (closedAt !== undefined || now < dueAt || announced.has(id)) continue;
      announced.add(id);
      await notifyAll(
        notifiers,
        {
          type: "postmortem-overdue",
          flag: state.flag,
          at: new Date(now).toISOString(),
          reason: `The postmortem ${id} was due at ${new Date(dueAt).toISOString()}.`,
        },
        onError,
        clock,
      );
    }
  }

  async function tick(fence?: number): Promise<TickResult[]> {
    const results: TickResult[] = [];
    for (const flag of await service.store.list()) {
      try {
        results.push(await look(flag, fence));
      } catch (error) {
        onError(error);
        const code = errorCode(error);
        if (code === "STALE_FENCE" || code === "ROLLOUT_CONFLICT")
          results.push({ flag, action: "lost", phase: "unknown", reason: (error as Error).message });
      }
    }
    return results;
  }

  const pause = (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const cancel = clock.after(ms, done);
      signal.addEventListener("abort", done, { once: true });
    });

  async function lead(fence: number | undefined, signal: AbortSignal): Promise<void> {
    leads = true;
    while (!signal.aborted) {
      await tick(fence).catch(onError);
      await pause(tickMs, signal);
    }
    leads = false;
  }

  async function run(): Promise<void> {
    if (locks === undefined) return lead(undefined, stop.signal);
    while (!stop.signal.aborted) {
      try {
        const lease = await locks.acquire(lockKey, { ttlMs: lockTtlMs, waitMs: Infinity, signal: stop.signal });
        await lead(lease.fence, AbortSignal.any([lease.signal, stop.signal]));
        await lease.release();
      } catch (error) {
        if (stop.signal.aborted) return;
        onError(error);
        await pause(Math.min(tickMs, 1_000), stop.signal);
      }
    }
  }

  return {
    tick,
    start() {
      running ??= run();
    },
    leading: () => leads,
    async close() {
      stop.abort();
      await running;
    },
  };
}
