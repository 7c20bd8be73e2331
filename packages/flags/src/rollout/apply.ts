import { digest, HebraError } from "@hebra/core";
import { totals, type StepTotals } from "./counters.ts";
import { freeze } from "./observed.ts";
import type { RolloutCommand } from "./commands.ts";
import { nextPhase, rolloutEvents, type RolloutEvent } from "./machine.ts";
import { isRandomised, phaseLabel, type Phase } from "./phase.ts";
import { shareOf } from "./plan.ts";
import type { Facts } from "./requirements.ts";
import { checkReport } from "./report.ts";
import type { Attestation, Postmortem, RolloutState } from "./state.ts";

/** How long a postmortem may take, ms. */
const POSTMORTEM_MS = 24 * 3_600_000;

type Edge = Extract<RolloutCommand, { event: RolloutEvent }>;

/** Whether a command takes an edge of the machine, rather than leaving a record. */
export function isEdge(command: RolloutCommand): command is Edge {
  return (rolloutEvents as readonly string[]).includes(command.event);
}

/**
 * The state after an edge, without its bookkeeping (revision, fence, evidence). Pure.
 *
 * @throws HebraError `ILLEGAL_TRANSITION`, `INVALID_OPTIONS`
 */
export function takeEdge(state: RolloutState, command: Edge, facts: Facts): RolloutState {
  const { event } = command;
  const plan = command.plan !== undefined && (event === "start" || event === "reset") ? command.plan : state.plan;
  const phase = nextPhase(state.phase, event, {
    steps: plan.steps.length,
    ...(command.to === undefined ? {} : { resetTo: command.to }),
  });
  const holdBack = holdBackAfter(state, command, phase, plan.full.holdBack);
  // A pause leaves the split as it is, so that its sessions go on counting; everything else begins anew.
  const enteredAt = event === "pause" ? state.enteredAt : facts.now;
  const cleanSince = phase.name !== "full" ? undefined : event === "set-hold-back" ? state.cleanSince : facts.now;
  const { cleanSince: _, baseline: __, ...rest } = state;
  const baseline = baselineAfter(state, event, facts);
  return {
    ...rest,
    plan,
    phase,
    holdBack,
    enteredAt,
    version: state.version + 1,
    approvals: [],
    frozen:
      event === "start" || event === "reset"
        ? {}
        : event === "pause"
          ? state.frozen
          : freeze(facts.gathered.legacy, state.frozen),
    completed: completedAfter(state, event, facts),
    postmortems:
      event === "rollback"
        ? [...state.postmortems, openPostmortem(state, command.reason, facts.now)]
        : state.postmortems,
    ...(event === "start" ? { startedBy: command.by } : {}),
    ...(cleanSince === undefined ? {} : { cleanSince }),
    ...(baseline === undefined ? {} : { baseline }),
  };
}

function holdBackAfter(state: RolloutState, command: Edge, phase: Phase, planned: number): number {
  if (command.event !== "set-hold-back")
    return phase.name === "full" && state.phase.name !== "paused" && state.phase.name !== "retired"
      ? planned
      : command.event === "start"
        ? planned
        : state.holdBack;
  const { holdBack } = command;
  if (holdBack === undefined || !(holdBack >= 0 && holdBack <= 100)) {
    throw new HebraError(
      "INVALID_OPTIONS",
      `\`set-hold-back\` needs a \`holdBack\` from 0 to 100; it was given ${String(holdBack)}.`,
    );
  }
  return holdBack;
}

/**
 * Steps forward keep their record, so that one error probability covers the whole rollout; a person's decision to go on
 * begins a new test.
 */
function completedAfter(state: RolloutState, event: RolloutEvent, facts: Facts): readonly StepTotals[] {
  if (event === "pause") return state.completed;
  const forward = event === "advance" || event === "cutover" || event === "set-hold-back";
  if (!forward) return [];
  if (!isRandomised(state.phase)) return [];
  return [
    ...state.completed,
    { share: shareOf(state.plan, state.phase, state.holdBack), ...totals(facts.gathered.blocks) },
  ];
}

function baselineAfter(state: RolloutState, event: RolloutEvent, facts: Facts): RolloutState["baseline"] {
  if (event === "start" || event === "reset") return undefined;
  const share = shareOf(state.plan, state.phase, state.holdBack);
  const forward = event === "advance" || event === "cutover";
  // Shadow has no new arm, but its legacy arm is the best baseline that a direct cutover can have.
  if (forward && share <= 0.5 && facts.gathered.legacy.judged > 0) return totals(facts.gathered.blocks).legacy;
  return state.baseline;
}

function openPostmortem(state: RolloutState, summary: string, now: number): Postmortem {
  const evidence = state.evidenceCount + 1;
  return {
    id: `${state.flag}-${evidence}`,
    openedAt: now,
    dueAt: now + POSTMORTEM_MS,
    evidence,
    summary: `Rolled back from ${phaseLabel(state.phase)}: ${summary}`,
  };
}

/** The largest step's signatures, given for this plan by people other than the one who amends. */
function amend(state: RolloutState, { plan, by }: Extract<RolloutCommand, { event: "amend" }>): RolloutState {
  const roles = state.plan.full.approvals ?? [];
  const own = state.approvals.filter((one) => one.plan === digest(plan) && one.by !== by);
  const missing = roles.filter((role) => !own.some((one) => one.role === role));
  const people = new Set(own.map((one) => one.by));
  if (missing.length > 0 || people.size < roles.length)
    throw new HebraError(
      "EVIDENCE_MISSING",
      `An amendment needs the signatures ${roles.join(" and ")} under the new plan, from as many people other than ${by}. Missing: ${missing.length > 0 ? missing.join(", ") : "another person"}.`,
      {
        details: {
          missing: missing.map((role) => ({
            item: `approval:${role}`,
            detail: `The ${role} approval of this plan is missing.`,
          })),
        },
      },
    );
  if (shareOf(plan, state.phase, state.holdBack) !== shareOf(state.plan, state.phase, state.holdBack))
    throw new HebraError(
      "INVALID_OPTIONS",
      "An amendment cannot change the share of the running step. Pause, or retreat first.",
    );
  return { ...state, plan, approvals: state.approvals.filter((one) => one.plan !== digest(plan)) };
}

function attestation(
  { by, reason, item, link, digest, report }: Extract<RolloutCommand, { event: "attest" }>,
  now: number,
): Attestation {
  const checked = report === undefined ? undefined : checkReport(item, report);
  if (checked !== undefined && digest !== undefined && digest !== checked.digest) {
    throw new HebraError(
      "EVIDENCE_TAMPERED",
      `The report for \`${item}\` has the digest ${checked.digest}, not ${digest}.`,
      { details: { item, digest } },
    );
  }
  const own = checked?.digest ?? digest;
  return {
    item,
    by,
    at: now,
    reason,
    ...(link === undefined ? {} : { link }),
    ...(own === undefined ? {} : { digest: own }),
    ...(checked === undefined ? {} : { verified: true }),
  };
}

/**
 * The state after a record. Pure.
 *
 * @throws HebraError `PARSE_ERROR`, `EVIDENCE_TAMPERED`, `EVIDENCE_MISSING` for a report that does not hold;
 * `FORBIDDEN` when the starter approves, `EVIDENCE_MISSING` when there is nothing to record against.
 */
export function addRecord(state: RolloutState, command: Exclude<RolloutCommand, Edge>, now: number): RolloutState {
  const { by, reason } = command;
  switch (command.event) {
    case "approve": {
      if (by === state.startedBy)
        throw new HebraError("FORBIDDEN", `${by} started this rollout; somebody else has to approve it.`);
      const plan = command.plan === undefined ? undefined : digest(command.plan);
      const others = state.approvals.filter((one) => one.role !== command.role || one.plan !== plan);
      const signed = { role: command.role, by, at: now, reason, ...(plan === undefined ? {} : { plan }) };
      return { ...state, approvals: [...others, signed] };
    }
    case "amend":
      return amend(state, command);
    case "attest": {
      return { ...state, attestations: [...state.attestations, attestation(command, now)] };
    }
    case "smoke": {
      const { ok, link, report } = command;
      const checked = ok && report !== undefined ? checkReport("smoke", report) : undefined;
      return {
        ...state,
        smoke: {
          ok,
          at: now,
          by,
          ...(link === undefined ? {} : { link }),
          ...(checked === undefined ? {} : { digest: checked.digest }),
        },
      };
    }
    case "legacy-usage":
      return { ...state, legacyUsage: { calls: command.calls, at: now } };
    case "remove":
      if (state.phase.name !== "retired")
        throw new HebraError(
          "ILLEGAL_TRANSITION",
          `The old code can be removed from \`retired\` only; the rollout is ${phaseLabel(state.phase)}.`,
        );
      return { ...state, removedAt: now };
    case "close-postmortem": {
      if (!state.postmortems.some((one) => one.id === command.id))
        throw new HebraError("EVIDENCE_MISSING", `There is no postmortem ${command.id}.`);
      return {
        ...state,
        postmortems: state.postmortems.map((one) =>
          one.id === command.id ? { ...one, closedAt: now, link: command.link } : one,
        ),
      };
    }
  }
}
