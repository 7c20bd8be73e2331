import type { ErrorSignature } from "@hebra/core";
import type { Decision } from "../../evaluate/types.ts";
import type { ActionCallOutcome } from "../../route/outcome.ts";
import type { Exposure, Outcome } from "../../route/router.ts";
import type { Draws } from "./draws.ts";
import type { FilledScenario } from "./scenario.ts";
import type { Tenant } from "./tenants.ts";

/** Something that a process tells its collector. */
export interface SimulatedEvent {
  readonly at: number;
  readonly process: number;
  readonly exposure: Exposure;
  /** Absent at the session's start. */
  readonly outcome?: Outcome;
  /** The turn met an incident that no rule knows. */
  readonly unknown?: boolean;
}

/** What holds at one moment on the engine of a session. */
export interface Conditions {
  /** Whether the new engine's differences are in force. */
  readonly differs: boolean;
  /** Milliseconds since the running step began. */
  readonly sinceStepMs: number;
  /** Days since the run began. */
  readonly days: number;
}

/** A session that starts. */
export interface SessionStart {
  readonly flag: string;
  readonly id: string;
  readonly at: number;
  readonly tenant: Tenant;
  readonly arm: "new" | "control";
  readonly unit: string;
  readonly flagVersion: number;
}

const signature: ErrorSignature = {
  v: 1,
  code: "SIMULATED",
  component: "simulation",
  fingerprint: "0".repeat(64),
  message: "simulated",
  frames: [],
};
const good: readonly ActionCallOutcome[] = [{ name: "simulated", ok: true }];
const bad: readonly ActionCallOutcome[] = [{ name: "simulated", ok: false }];

/**
 * All turns of one session. They are correlated: a session in trouble fails a share of its turns, and part of the
 * variance of durations and costs is common to all of its turns.
 */
export function playSession(
  draws: Draws,
  { traffic, legacy, new: fresh, clocksMinutes }: FilledScenario,
  start: SessionStart,
  conditions: (at: number) => Conditions,
): SimulatedEvent[] {
  const { flag, id, tenant, arm, unit, flagVersion } = start;
  const decision: Decision = {
    mode: arm === "new" ? "new" : "legacy",
    reason: "SPLIT",
    ruleId: "canary",
    bucket: 0,
    arm,
    flagVersion,
    errorCode: undefined,
  };
  const first = conditions(start.at);
  const grown = traffic.drift ** first.days;
  const times = (factor: number): number => (first.differs && arm === "new" ? factor : 1);
  const troubled = draws.uniform() < legacy.failing * times(fresh.failingTimes) * tenant.failingTimes * grown;
  const incomplete = draws.uniform() < legacy.incomplete * times(fresh.incompleteTimes);
  const unknown = draws.uniform() < legacy.unknown * times(fresh.unknownTimes);
  const failingCalls = draws.uniform() < legacy.actionFailing * times(fresh.actionFailingTimes);
  const [common, own] = [
    traffic.sigma * Math.sqrt(traffic.correlation),
    traffic.sigma * Math.sqrt(1 - traffic.correlation),
  ];
  const [slow, dear] = [common * draws.normal(), common * draws.normal()];
  const skews = clocksMinutes.map((minutes) => minutes * 60_000);
  const process = () => (draws.uniform() * skews.length) | 0;
  const gateway = process();
  const exposure: Exposure = {
    flag,
    session: id,
    context: { org: tenant.id, session: id },
    mode: decision.mode,
    decision,
    arm,
    flagVersion,
    startedAt: start.at + skews[gateway]!,
    unit,
  };
  const events: SimulatedEvent[] = [{ at: start.at, process: gateway, exposure }];
  const turns = draws.geometric(traffic.turns);
  let at = start.at;
  for (let turn = 0; turn < turns; turn++) {
    const now = conditions(at);
    const differs = now.differs && arm === "new" && turn >= fresh.afterTurns;
    const cold =
      arm === "new" && fresh.warmUp !== undefined
        ? 1 + (fresh.warmUp.times - 1) * Math.exp(-now.sinceStepMs / (fresh.warmUp.minutes * 60_000))
        : 1;
    const latencyMs =
      legacy.medianMs *
      tenant.latencyTimes *
      traffic.drift ** now.days *
      cold *
      (differs ? fresh.latencyTimes : 1) *
      Math.exp(slow + own * draws.normal());
    const cost =
      legacy.medianCost * tenant.costTimes * (differs ? fresh.costTimes : 1) * Math.exp(dear + own * draws.normal());
    const steps = Math.max(
      1,
      Math.round(legacy.medianSteps * (differs ? fresh.stepsTimes : 1) * Math.exp(0.5 * draws.normal())),
    );
    const failed = troubled && draws.uniform() < legacy.failingTurns;
    const status = failed ? "failed" : incomplete && turn === turns - 1 ? "incomplete" : "ok";
    const end = at + latencyMs;
    const where = process();
    const outcome: Outcome = {
      ...exposure,
      status,
      error: undefined,
      ...(failed ? { signature } : {}),
      latencyMs,
      cost,
      steps,
      calls: failingCalls && draws.uniform() < legacy.failingTurns ? bad : good,
      at: end + skews[where]!,
      fellBack: false,
    };
    events.push({ at: end, process: where, exposure, outcome, ...(unknown && turn === 0 ? { unknown } : {}) });
    at = end + draws.exponential(traffic.pauseSeconds * 1_000);
  }
  return events;
}

/** A session that fails without end: one unit, whatever it does. */
export function playBot(start: SessionStart, turns: number): SimulatedEvent[] {
  const { flag, id, tenant, arm, unit, flagVersion } = start;
  const mode = arm === "new" ? "new" : "legacy";
  const exposure: Exposure = {
    flag,
    session: id,
    context: { org: tenant.id, session: id },
    mode,
    decision: { mode, reason: "SPLIT", ruleId: "canary", bucket: 0, arm, flagVersion, errorCode: undefined },
    arm,
    flagVersion,
    startedAt: start.at,
    unit,
  };
  const events: SimulatedEvent[] = [{ at: start.at, process: 0, exposure }];
  for (let turn = 1; turn <= turns; turn++) {
    const at = start.at + turn * 1_000;
    const outcome: Outcome = {
      ...exposure,
      status: "failed",
      error: undefined,
      signature,
      latencyMs: 50,
      cost: 0.001,
      steps: 1,
      calls: good,
      at,
      fellBack: false,
    };
    events.push({ at, process: 0, exposure, outcome });
  }
  return events;
}
