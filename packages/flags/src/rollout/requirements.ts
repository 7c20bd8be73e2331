import type { CheckVerdict } from "./check.ts";
import type { ArmSum, Gathered } from "./counter-row.ts";
import { histogramTotal, quantile } from "./histogram.ts";
import type { GuardReport } from "./guards/evaluate.ts";
import { feeds } from "./guards/feeds.ts";
import { wilsonUpper } from "./guards/frozen-baseline.ts";
import { nextPhase, type RolloutEvent } from "./machine.ts";
import { phaseLabel, type Phase } from "./phase.ts";
import { gateOf, type StepGate } from "./plan.ts";
import { reportItems } from "./report.ts";
import type { RolloutState } from "./state.ts";
import { inWindow } from "./window.ts";

/** Something that an edge still lacks. */
export interface Missing {
  /** Stable: `observe`, `sessions`, `guards`, `evidence:training`, `approval:technical` … */
  readonly item: string;
  /** One sentence, with the figures. */
  readonly detail: string;
}

/** What an edge is judged by, besides the stored state. */
export interface Facts {
  readonly now: number;
  readonly gathered: Gathered;
  readonly report: GuardReport;
  /** What the checks said that the edges from here ask for. */
  readonly checks?: Readonly<Record<string, CheckVerdict>>;
}

const hours = (ms: number): string =>
  ms >= 86_400_000
    ? `${(ms / 86_400_000).toFixed(1)} d`
    : ms >= 3_600_000
      ? `${(ms / 3_600_000).toFixed(1)} h`
      : `${(ms / 60_000).toFixed(0)} min`;
const percent = (share: number): string => `${(share * 100).toFixed(3)} %`;
const attested = (state: RolloutState, item: string): boolean => state.attestations.some((one) => one.item === item);

/**
 * What keeps an edge shut. Empty means that it may be taken. Edges that lead back to safety (pause, rollback, retreat)
 * need nothing; edges forward need
 * positive evidence, so that missing data holds.
 */
export function missingFor(state: RolloutState, event: RolloutEvent, facts: Facts): Missing[] {
  const to = nextPhase(state.phase, event, { steps: state.plan.steps.length });
  switch (event) {
    case "advance":
    case "cutover":
      return [...leaving(state, facts), ...entering(state, to, facts)];
    case "retire":
      return retiring(state, facts);
    case "reset":
      return cooledDown(state, facts.now);
    case "reinstate":
      return state.removedAt === undefined
        ? []
        : [{ item: "removed", detail: "The old code was removed; there is nothing to go back to." }];
    default:
      return [];
  }
}

function leaving(state: RolloutState, facts: Facts): Missing[] {
  if (state.phase.name === "shadow") return leavingShadow(state, facts);
  if (state.phase.name === "canary") {
    const gate = gateOf(state.plan, state.phase)!;
    return [...observed(gate, facts), ...calm(facts), ...unseen(state, gate, facts)];
  }
  return [];
}

/** The gate out of shadow is one planned look, so a fixed-sample limit is right here and nowhere else. */
function leavingShadow(state: RolloutState, { now, gathered }: Facts): Missing[] {
  const { shadow } = state.plan;
  const counts = gathered.shadow;
  const missing: Missing[] = [];
  const spent = now - state.enteredAt;
  if (spent < shadow.leastMs && !attested(state, "override:shadow-time")) {
    missing.push({
      item: "shadow-time",
      detail: `In shadow for ${hours(spent)} of at least ${hours(shadow.leastMs)}; only the attestation \`override:shadow-time\` shortens it.`,
    });
  }
  if (counts.compared < shadow.minCompared)
    missing.push({ item: "compared", detail: `${counts.compared} of at least ${shadow.minCompared} turns compared.` });
  const runs = counts.compared + counts.onlyNewFailed + counts.timedOut;
  const failing = runs === 0 ? 0 : (counts.onlyNewFailed + counts.timedOut) / runs;
  if (failing >= shadow.maxErrorShare && counts.onlyNewFailed + counts.timedOut > 0) {
    missing.push({
      item: "shadow-errors",
      detail: `The new engine failed or timed out alone in ${percent(failing)} of ${runs} runs; less than ${percent(shadow.maxErrorShare)} is needed.`,
    });
  }
  const upper = wilsonUpper(counts.mismatched, counts.compared, 1.644854);
  if (counts.compared > 0 && upper > shadow.maxMismatchShare) {
    missing.push({
      item: "shadow-mismatch",
      detail: `${counts.mismatched} of ${counts.compared} turns differ; the upper 95 % limit ${percent(upper)} is over ${percent(shadow.maxMismatchShare)}.`,
    });
  }
  return missing;
}

function observed(gate: StepGate, { gathered }: Facts): Missing[] {
  const missing: Missing[] = [];
  const { observeMs = 0, minSessions = 0 } = gate;
  if (gathered.observedMs < observeMs)
    missing.push({
      item: "observe",
      detail: `${hours(gathered.observedMs)} of ${hours(observeMs)} with traffic observed.`,
    });
  for (const [name, arm] of [
    ["new", gathered.new],
    ["legacy", gathered.legacy],
  ] as const) {
    if (arm.judged < minSessions)
      missing.push({
        item: `sessions:${name}`,
        detail: `${arm.judged} of ${minSessions} judged sessions in the ${name} arm.`,
      });
  }
  return missing;
}

function calm({ report }: Facts): Missing[] {
  return report.action === "quiet"
    ? []
    : [{ item: "guards", detail: `The guard ${report.cause} says ${report.action}: ${report.reason}` }];
}

/** What the plan requires and nobody measures holds: an automatic rollout that cannot see is worse than none. */
function unseen({ plan: { limits } }: RolloutState, { minSessions = 0 }: StepGate, { report }: Facts): Missing[] {
  const least = Math.max(1, minSessions);
  return limits.required.flatMap((guard) => {
    const found = report.verdicts.find((one) => one.guard === guard);
    if (found === undefined || found.answer === "off" || found.answer === "breach") return [];
    const { newUnits, legacyUnits } = found.values;
    const thin = [newUnits, legacyUnits].some((units) => units !== undefined && units < least);
    if (found.answer === "ok" && !thin) return [];
    const figures =
      newUnits === undefined ? "" : ` Measured: ${newUnits} new and ${legacyUnits ?? 0} legacy of ${least} each.`;
    const said = found.answer === "ok" ? "too little data." : `no data: ${found.reason}`;
    return [
      {
        item: `guard:${guard}`,
        detail: `The plan requires the guard ${guard}, which has ${said}${figures} ${feeds[guard] ?? ""}`.trim(),
      },
    ];
  });
}

function entering(state: RolloutState, to: Phase, facts: Facts): Missing[] {
  const gate = gateOf(state.plan, to);
  if (gate === undefined) return [];
  const missing = [...items(state, gate), ...signatures(state, gate), ...checked(gate, facts)];
  if (gate.window !== undefined && !inWindow(gate.window, facts.now)) {
    missing.push({
      item: "window",
      detail: `${phaseLabel(to)} is entered between ${gate.window.from} and ${gate.window.to} ${gate.window.timeZone ?? "UTC"} only.`,
    });
  }
  if (gate.smokeMaxAgeMs !== undefined) {
    const { smoke } = state;
    if (smoke === undefined || !smoke.ok) missing.push({ item: "smoke", detail: "There is no passing smoke verdict." });
    else if (facts.now - smoke.at > gate.smokeMaxAgeMs)
      missing.push({
        item: "smoke",
        detail: `The last smoke verdict is ${hours(facts.now - smoke.at)} old; at most ${hours(gate.smokeMaxAgeMs)} is allowed.`,
      });
  }
  if (to.name === "full") missing.push(...legacyHealth(state, facts.gathered.legacy));
  return missing;
}

/** A way back is only one while it leads to something healthy. */
function legacyHealth({ plan: { limits } }: RolloutState, legacy: ArmSum): Missing[] {
  const missing: Missing[] = [];
  if (legacy.judged === 0)
    return [{ item: "legacy-health", detail: "Nothing is known of the legacy engine's health in this phase." }];
  const failing = legacy.failed / legacy.judged;
  if (failing > limits.errorCeiling)
    missing.push({
      item: "legacy-health",
      detail: `${percent(failing)} of legacy sessions fail; the ceiling is ${percent(limits.errorCeiling)}.`,
    });
  const p95 = quantile(legacy.durations, 0.95);
  if (p95 !== undefined && histogramTotal(legacy.durations) > 0 && p95 > limits.latencyCeilingMs) {
    missing.push({
      item: "legacy-health",
      detail: `The legacy p95 is ${p95.toFixed(0)} ms; the ceiling is ${limits.latencyCeilingMs} ms.`,
    });
  }
  return missing;
}

function checked(gate: StepGate, { checks = {} }: Facts): Missing[] {
  return (gate.checks ?? []).flatMap((name) => {
    const verdict = Object.hasOwn(checks, name) ? checks[name] : undefined;
    return verdict?.ok === true
      ? []
      : [{ item: `check:${name}`, detail: `The check \`${name}\` says no: ${verdict?.detail ?? "it was not asked."}` }];
  });
}

const REHEARSAL = "rollback-rehearsal";

function items(state: RolloutState, gate: StepGate): Missing[] {
  // What was measured before a rollback was measured of another engine; the way back is the same.
  const rolledBackAt = state.postmortems.at(-1)?.openedAt ?? -1;
  return (gate.evidence ?? []).flatMap((entry) => {
    const [item, times] = entry.split("×") as [string, string | undefined];
    const wanted = Number(times ?? 1);
    const isReport = reportItems.includes(item);
    const records = state.attestations.filter(
      (one) =>
        one.item === item && (!isReport || (one.verified === true && (one.at > rolledBackAt || item === REHEARSAL))),
    );
    // A report that is handed in twice is one report.
    const found = isReport ? new Set(records.map((one) => one.digest)).size : records.length;
    const how = isReport
      ? ` Hand in the report itself: its digest and verdict are checked${item === REHEARSAL ? "; each rehearsal counts once" : ", and a rollback voids it"}.`
      : "";
    return found >= wanted
      ? []
      : [{ item: `evidence:${item}`, detail: `${found} of ${wanted} records of \`${item}\`.${how}` }];
  });
}

function signatures(state: RolloutState, gate: StepGate): Missing[] {
  const roles = gate.approvals ?? [];
  const given = state.approvals.filter((one) => one.plan === undefined);
  const missing = roles.filter((role) => !given.some((one) => one.role === role));
  const people = new Set(given.map((one) => one.by));
  if (missing.length === 0 && people.size < roles.length)
    return [
      {
        item: "approval",
        detail: `${roles.length} roles need as many people; ${[...people].join(", ")} signed more than one.`,
      },
    ];
  return missing.map((role) => ({ item: `approval:${role}`, detail: `The ${role} approval is missing.` }));
}

function retiring(state: RolloutState, facts: Facts): Missing[] {
  const { full } = state.plan;
  const missing = [...observed({ observeMs: full.observeMs ?? 0 }, facts)];
  const clean = facts.now - (state.cleanSince ?? facts.now);
  if (clean < full.cleanMs && !attested(state, "override:clean-time")) {
    missing.push({
      item: "clean-time",
      detail: `${hours(clean)} of ${hours(full.cleanMs)} without a pause or rollback; only the attestation \`override:clean-time\` shortens it.`,
    });
  }
  if (state.holdBack > 0)
    missing.push({
      item: "hold-back",
      detail: `${state.holdBack} % are still held back on legacy; set the hold-back to 0.`,
    });
  const usage = state.legacyUsage;
  if (usage === undefined || facts.now - usage.at > 86_400_000)
    missing.push({ item: "legacy-usage", detail: "The usage of the old endpoints was not reported within a day." });
  else if (usage.calls > full.maxLegacyUsage)
    missing.push({
      item: "legacy-usage",
      detail: `The old endpoints had ${usage.calls} unpinned calls in a day; at most ${full.maxLegacyUsage} are allowed.`,
    });
  // With nothing held back the arms cannot be compared any more, so that only harm keeps the edge shut.
  if (facts.report.action === "pause" || facts.report.action === "rollback") missing.push(...calm(facts));
  return missing;
}

function cooledDown(state: RolloutState, now: number): Missing[] {
  const left = state.enteredAt + state.plan.coolDownMs - now;
  return left <= 0 ? [] : [{ item: "cool-down", detail: `A rolled-back rollout rests; ${hours(left)} are left.` }];
}
