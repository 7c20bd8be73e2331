import { digest, HebraError, type Clock } from "@hebra/core";
import { bucketAfter, hashPrefix } from "../../evaluate/murmur.ts";
import { createCollector } from "../collector.ts";
import { reportItems } from "../report.ts";
import type { RolloutCommand } from "../commands.ts";
import { createRolloutController } from "../controller.ts";
import { verifyEvidence, type EvidenceRecord } from "../evidence.ts";
import type { GuardName } from "../guards/types.ts";
import { activePhase, phaseLabel } from "../phase.ts";
import { shareOf } from "../plan.ts";
import { createRolloutService } from "../service.ts";
import type { RolloutState } from "../state.ts";
import { memoryRolloutStore } from "../store/memory.ts";
import { createDraws } from "./draws.ts";
import { createNaiveRule } from "./naive-rule.ts";
import type { FilledScenario } from "./scenario.ts";
import { playBot, playSession, type Conditions, type SimulatedEvent } from "./session.ts";
import { createTenants } from "./tenants.ts";

/** When something happened in a run. */
export interface Moment {
  /** Hours since the differences began, or since the measured phase was entered where there are none. */
  readonly hours: number;
  /** Sessions that started on the new engine since then. */
  readonly newSessions: number;
}

/** A pause or rollback by a guard. */
export interface Stop extends Moment {
  readonly guard: GuardName;
  readonly phase: string;
}

/** How one run went. */
export interface Play {
  readonly seed: number;
  /** The phase in which it ended. */
  readonly phase: string;
  /** Simulated hours. */
  readonly hours: number;
  readonly sessions: number;
  readonly newSessions: number;
  readonly turns: number;
  readonly ticks: number;
  readonly pause?: Stop;
  readonly rollback?: Stop;
  /** Where a rule that rolls back at twice the failing share of turns would have done so. */
  readonly naive?: Moment;
  /** The chain of evidence, verified. */
  readonly evidence: readonly EvidenceRecord[];
}

const FLAG = "simulated";
/** How long a harmful run goes on after a pause. */
const PAUSED_HOURS = 6;
const BEGIN = Date.UTC(2026, 0, 5);

/**
 * One run: the real collectors, store, service and controller over simulated sessions, on a virtual clock.
 *
 * @throws HebraError `INTERNAL` when the controller fails or the evidence does not verify.
 */
export async function playScenario(scenario: FilledScenario, seed: number): Promise<Play> {
  const { plan, traffic, measure, unit: unitKind, clocksMinutes } = scenario;
  const draws = createDraws(seed);
  const tickMs = scenario.tickSeconds * 1_000;
  // A run begins at any hour of the day.
  const begin = BEGIN + Math.floor(draws.uniform() * 24) * 3_600_000;
  let time = begin;
  const clockOf = (skew: number): Clock => ({ now: () => time + skew, monotonic: () => time, after: () => () => {} });
  const clock = clockOf(0);
  const store = memoryRolloutStore();
  const failures: unknown[] = [];
  const onError = (error: unknown) => void failures.push(error);
  const checks = [plan.shadow, ...plan.steps, plan.full].flatMap((gate) => gate.checks ?? []);
  const service = createRolloutService({
    store,
    clock,
    onError,
    checks: Object.fromEntries(checks.map((name) => [name, () => ({ ok: true, detail: "simulated" })])),
  });
  const controller = createRolloutController({ service, clock, onError });
  const collectors = clocksMinutes.map((minutes, at) =>
    createCollector({ store, source: `process-${at + 1}`, flushMs: 0, clock: clockOf(minutes * 60_000), onError }),
  );
  const act = (command: Partial<RolloutCommand>) =>
    service.act(FLAG, { by: "simulation", reason: "simulated", ...command } as RolloutCommand);
  await act({ event: "start", plan });
  await act({ event: "advance" });
  await act({ event: "advance" });
  let state: RolloutState = (await store.read(FLAG))!;
  let label = phaseLabel(activePhase(state.phase)!);

  const tenants = createTenants(draws, traffic);
  const salt = hashPrefix(`${FLAG}:`);
  const weights = traffic.hourly.map((weight) => (weight * 24) / traffic.hourly.reduce((sum, one) => sum + one, 0));
  const from = scenario.new.from ?? measure;
  const [entered, due] = [new Map<string, number>([[label, time]]), new Map<number, SimulatedEvent[]>()];
  const onset = (): number | undefined => {
    const at = entered.get(from);
    return at === undefined ? undefined : at + scenario.new.afterMinutes * 60_000;
  };
  const conditions = (at: number): Conditions => {
    const start = onset();
    return {
      differs: start !== undefined && at >= start,
      sinceStepMs: at - state.enteredAt,
      days: (at - begin) / 86_400_000,
    };
  };
  const schedule = (events: readonly SimulatedEvent[]) => {
    for (const event of events) {
      const tick = Math.floor((event.at - begin) / tickMs);
      const bucket = due.get(tick);
      if (bucket === undefined) due.set(tick, [event]);
      else bucket.push(event);
    }
  };

  let [sessions, newSessions, since, turns, ticks, bots] = [0, 0, 0, 0, 0, 0];
  let [pause, rollback, naive] = [
    undefined as Stop | undefined,
    undefined as Stop | undefined,
    undefined as Moment | undefined,
  ];
  const rule = createNaiveRule();
  const moment = (): Moment => ({
    hours: (time - (onset() ?? entered.get(measure) ?? begin)) / 3_600_000,
    newSessions: since,
  });

  function arrive(at: number, share: number): void {
    const tenant = tenants.draw();
    const id = `s${++sessions}`;
    const unit = unitKind === "org" ? tenant.id : id;
    const arm = bucketAfter(salt, `${seed}.${unit}`) < share * 100_000 ? "new" : "control";
    const start = { flag: FLAG, id, at, tenant, arm, unit: `${seed}.${unit}`, flagVersion: state.version } as const;
    if (arm === "new") {
      newSessions++;
      const began = onset() ?? (scenario.harmful ? undefined : entered.get(measure));
      if (began !== undefined && at >= began) since++;
    }
    schedule(playSession(draws, scenario, start, conditions));
  }

  async function tick(): Promise<void> {
    const share = shareOf(plan, state.phase, state.holdBack);
    const end = time + tickMs;
    const perMs = (traffic.sessionsPerHour * weights[Math.floor(time / 3_600_000) % 24]!) / 3_600_000;
    if (perMs > 0)
      for (let at = time + draws.exponential(1 / perMs); at < end; at += draws.exponential(1 / perMs))
        arrive(at, share);
    const measured = entered.get(measure);
    for (let bot = traffic.bots[bots]; measured !== undefined && bot !== undefined; bot = traffic.bots[++bots]) {
      const at = measured + bot.afterMinutes * 60_000;
      if (at >= end) break;
      const id = `bot-${bots}`;
      const arm = bot.arm === "new" ? "new" : "control";
      schedule(
        playBot(
          { flag: FLAG, id, at: Math.max(at, time), tenant: tenants.draw(), arm, unit: id, flagVersion: state.version },
          bot.turns,
        ),
      );
    }
    const index = Math.floor((time - begin) / tickMs);
    time = end;
    const events = due.get(index)?.sort((a, b) => a.at - b.at) ?? [];
    due.delete(index);
    for (const { process, exposure, outcome, unknown } of events) {
      const { observer, record } = collectors[process]!;
      if (outcome === undefined) {
        observer.exposed(exposure);
        continue;
      }
      turns++;
      observer.finished(outcome);
      if (unknown === true) record(FLAG, exposure.session, { unknown }, exposure.context.org);
      if (label === measure) rule.turn(outcome.arm === "new", outcome.status === "failed");
    }
    for (const collector of collectors) await collector.flush();
    const [result] = await controller.tick();
    ticks++;
    if (failures.length > 0 || result === undefined)
      throw new HebraError("INTERNAL", "The controller failed in a simulation.", { cause: failures[0] });
    if (label === measure && rule.breached()) naive ??= moment();
    if (result.action === "none" || result.action === "held") return;
    state = (await store.read(FLAG))!;
    const guard = (await store.evidence(FLAG)).at(-1)!.cause;
    if (guard.kind === "guard") {
      const stop: Stop = { ...moment(), guard: guard.guard, phase: label };
      if (result.action === "rolled-back") rollback = stop;
      else pause ??= stop;
    }
    const now = activePhase(state.phase);
    if (now === undefined || phaseLabel(now) === label) return;
    label = phaseLabel(now);
    entered.set(label, time);
  }

  /** What people would do where the plan leaves it to them: sign, and lead on. */
  async function help(): Promise<void> {
    if (state.phase.name !== "canary" || state.phase.step !== plan.steps.length - 1) return;
    const { edges } = await service.status(FLAG);
    const missing = edges.find((edge) => edge.event === "advance")?.missing ?? [];
    if (missing.some(({ item }) => !/^(approval|evidence):|^smoke$/.test(item))) return;
    for (const entry of plan.full.evidence ?? []) {
      const [item, times] = entry.split("×") as [string, string | undefined];
      for (let run = 0; run < Number(times ?? 1); run++) {
        const report = { kind: item, at: new Date(clock.now()).toISOString(), ok: true, simulated: true, run };
        const checked = reportItems.includes(item) ? { report: { ...report, digest: digest(report) } } : {};
        await act({ event: "attest", item, ...checked });
      }
    }
    for (const role of plan.full.approvals ?? []) await act({ event: "approve", role, by: `simulated ${role}` });
    if (plan.full.smokeMaxAgeMs !== undefined) await act({ event: "smoke", ok: true });
    await act({ event: "advance" });
    state = (await store.read(FLAG))!;
    label = phaseLabel(activePhase(state.phase)!);
    entered.set(label, time);
  }

  const order = [...plan.steps.map((_, at) => `canary(${at})`), "full"];
  const past = () => order.indexOf(label) > order.indexOf(measure);
  const measuredHours = () => (time - (entered.get(measure) ?? time)) / 3_600_000;
  // Entering the measured phase may take longer than all of it at low traffic.
  const longest = begin + (scenario.hours + 24 * 60) * 3_600_000;
  // Found harm may turn out to be worth a rollback; after a while it stays for a person to judge.
  const given = () => scenario.harmful && pause !== undefined && moment().hours - pause.hours >= PAUSED_HOURS;
  while (rollback === undefined && !past() && !given() && measuredHours() < scenario.hours && time < longest) {
    await tick();
    if (ticks % 120 === 0) await help();
  }
  const evidence = await store.evidence(FLAG);
  verifyEvidence(evidence, state.head);
  return {
    seed,
    phase: phaseLabel(state.phase),
    hours: (time - begin) / 3_600_000,
    sessions,
    newSessions,
    turns,
    ticks,
    evidence,
    ...(pause === undefined ? {} : { pause }),
    ...(rollback === undefined ? {} : { rollback }),
    ...(naive === undefined ? {} : { naive }),
  };
}
