import { hold, type Bars } from "./bars.ts";
import { floodChat, skewGateway } from "./gateway-faults.ts";
import { fillMemory } from "./memory-full.ts";
import { silenceConnections, switchOver } from "./outages.ts";
import { poison } from "./poison.ts";
import { flushScripts, killConnections, killWorker, pauseWorker, stopRedis, type FaultReport } from "./faults.ts";
import { judge } from "./judge.ts";
import { observeEchoes } from "./observe.ts";
import type { PhaseName } from "./parts.ts";
import { now, type PhaseReport } from "./records.ts";
import { rollForwardAndBack } from "./rolling.ts";
import { LEASE_MS, type Stage } from "./stage.ts";
import { talk, type Talk } from "./talk.ts";

/** Milliseconds from publication to reply, less the handler's own time, for 95 of 100. */
export const LATENCY_MS = 50;

/** Something that goes wrong while all users talk. */
export interface Phase extends Partial<Omit<Talk, "name" | "users">> {
  name: PhaseName;
  fault?(stage: Stage): Promise<FaultReport>;
  /** Left out of a quick run unless it is asked for. */
  long?: boolean;
  /** Users who are slow by design; their latencies do not count. */
  slow?: readonly number[];
  /** A time that the phase is held to. */
  bar?(report: PhaseReport, bars: Bars): void;
}

/** Milliseconds that turns take where a fault has to hit them in the middle. */
const inMidTurn = (user: number, n: number) => 150 + ((user * 7 + n * 3) % 150);

/** Milliseconds that turns take where they outlast leases: 1 to 5 s. */
const longTurns = (user: number, n: number) => 1_000 + ((user * 7_919 + n * 2_777) % 4_001);

/** What users do where turns are long: half of the workers' places are taken. */
const slowly = { handleMs: longTurns, everyMs: 5_000, each: 4 };

/** Milliseconds for which Redis is away. */
const AWAY_MS = 20_000;

/** In the middle of so many turns a worker is hit. */
const TURNS = 3;

export const phases: readonly Phase[] = [
  { name: "calm", everyMs: 2_000, bar: ({ p95 }, bars) => bars.atMost("latency-p95", p95, LATENCY_MS, "ms") },
  {
    name: "worker-killed",
    handleMs: inMidTurn,
    everyMs: 800,
    fault: (stage) => killWorker(stage, TURNS),
    // What the dead worker held waits for its lease to end.
    bar: ({ max }, bars) => bars.atMost("recovery", max, LEASE_MS + 5_000, "ms"),
  },
  { name: "worker-paused", handleMs: inMidTurn, everyMs: 800, fault: (stage) => pauseWorker(stage, TURNS) },
  { name: "redis-restarted", handleMs: inMidTurn, everyMs: 800, fault: (stage) => stopRedis(stage, 1_000) },
  { name: "redis-away", everyMs: 800, handleMs: inMidTurn, fault: (stage) => stopRedis(stage, AWAY_MS), long: true },
  { name: "connections-killed", fault: killConnections },
  { name: "scripts-flushed", fault: flushScripts },
  { name: "published-twice", copies: 2 },
  {
    name: "slow-session",
    everyMs: 2_000,
    handleMs: (user) => (user === 0 ? 2_500 : 30),
    slow: [0],
    bar: ({ p95 }, bars) => bars.atMost("slow-session-p95", p95, LATENCY_MS, "ms"),
  },
  { name: "releases-rolled", everyMs: 1_000, fault: rollForwardAndBack },
  { name: "memory-full", ...slowly, fault: fillMemory },
  {
    name: "flooding-chat",
    ...slowly,
    fault: floodChat,
    bar: ({ p95 }, bars) => bars.atMost("flooding-chat-p95", p95, LATENCY_MS, "ms"),
  },
  { name: "gateway-skewed", ...slowly, fault: skewGateway },
  { name: "connections-silent", ...slowly, fault: silenceConnections },
  { name: "poison", ...slowly, fault: poison },
  { name: "switch-over", ...slowly, fault: switchOver },
];

/** Milliseconds that a phase has to come to rest. */
const SETTLE_MS = 60_000;

/** Plays one phase and looks at what came of it. */
export async function playPhase(stage: Stage, phase: Phase, bars: Bars): Promise<PhaseReport> {
  const { name, fault, slow = [] } = phase;
  const startedAt = now();
  const each = stage.quick ? Math.min(3, Math.ceil((phase.each ?? 6) / 2)) : (phase.each ?? 12);
  let over = fault === undefined;
  const [sent, seen] = await Promise.all([
    // A fault that takes its time is not to run out of people who talk.
    talk(stage, { ...phase, users: stage.users, each, goOn: () => !over }),
    fault?.(stage).finally(() => (over = true)),
  ]);
  const settled = await stage.quiet(SETTLE_MS);
  const observed = await observeEchoes(stage, sent, startedAt);
  const findings = judge({ ...observed, aside: new Set(slow.map((user) => sent[user]!.session)) });
  const report: PhaseReport = {
    phase: name,
    ...findings,
    ms: Math.round(now() - startedAt),
    settled,
    ...(seen === undefined ? {} : { note: seen.note }),
  };
  hold(report, bars);
  for (const [bar, count] of Object.entries(seen?.none ?? {})) bars.none(bar, count, "times");
  for (const [bar, count] of Object.entries(seen?.some ?? {})) bars.some(bar, count, "times");
  for (const [bar, count] of Object.entries(seen?.few ?? {})) bars.atMost(bar, count, 0, "times");
  for (const [bar, [ms, bound]] of Object.entries(seen?.within ?? {})) bars.within(bar, ms, bound);
  phase.bar?.(report, bars);
  return report;
}
