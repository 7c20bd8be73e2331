import type { FlagOverride } from "../evaluate/types.ts";
import type { ArmCounts, StepTotals } from "./counters.ts";
import type { FrozenLimits } from "./counter-row.ts";
import { activePhase, type Phase } from "./phase.ts";
import type { ApprovalRole, RolloutPlan } from "./plan.ts";

/** A person's word on something that no counter shows. */
export interface Attestation {
  /** What is attested: `training`, `rollback-rehearsal`, `override:shadow-time` … */
  readonly item: string;
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason?: string;
  /** Where the proof lies. */
  readonly link?: string;
  /** Digest of the report behind it. */
  readonly digest?: string;
  /** Set when the report itself was handed in, and its digest and verdict were found right. */
  readonly verified?: true;
}

/** A signature under the next edge. Void when the phase changes. */
export interface Approval {
  readonly role: ApprovalRole;
  readonly by: string;
  readonly at: number;
  readonly reason: string;
  /** Digest of the plan whose amendment it signs; absent for the next edge. */
  readonly plan?: string;
}

/** The duty to find out why a rollback happened. */
export interface Postmortem {
  readonly id: string;
  readonly openedAt: number;
  readonly dueAt: number;
  /** The sequence of the evidence record of the rollback: the postmortem's first source. */
  readonly evidence: number;
  readonly summary: string;
  readonly closedAt?: number;
  readonly link?: string;
}

/** Everything stored of a rollout. The flag's percentages are derived from it by {@link overrideOf}. */
export interface RolloutState {
  readonly flag: string;
  /** Grows by one with each write. */
  readonly revision: number;
  /** The fence of the last controller that wrote. */
  readonly fence: number;
  /** Grows whenever the split of traffic changes; what decisions show as their version. */
  readonly version: number;
  readonly phase: Phase;
  readonly plan: RolloutPlan;
  /** Percent kept on legacy in `full`. */
  readonly holdBack: number;
  readonly startedBy?: string;
  /** When the phase was entered or resumed; only sessions that started later count. */
  readonly enteredAt: number;
  /** When `full` was last entered without a pause or rollback since. */
  readonly cleanSince?: number;
  readonly frozen: FrozenLimits;
  readonly completed: readonly StepTotals[];
  readonly baseline?: ArmCounts;
  readonly approvals: readonly Approval[];
  readonly attestations: readonly Attestation[];
  readonly smoke?: {
    readonly ok: boolean;
    readonly at: number;
    readonly by: string;
    readonly link?: string;
    /** Of the report that was handed in and checked. */
    readonly digest?: string;
  };
  /** Unpinned calls of the old endpoints in the last day, as last reported. */
  readonly legacyUsage?: { readonly calls: number; readonly at: number };
  readonly postmortems: readonly Postmortem[];
  /** Set when the old code is gone: nothing leads back from `retired` then. */
  readonly removedAt?: number;
  /** Idempotency keys of the latest commands, newest last. */
  readonly recentKeys: readonly string[];
  /** How many evidence records there are, and the hash of the last. */
  readonly evidenceCount: number;
  readonly head: string;
}

/** A rollout that nobody has started. */
export function initialState(flag: string, plan: RolloutPlan, now: number): RolloutState {
  return {
    flag,
    revision: 0,
    fence: 0,
    version: 0,
    phase: { name: "off" },
    plan,
    holdBack: plan.full.holdBack,
    enteredAt: now,
    frozen: {},
    completed: [],
    approvals: [],
    attestations: [],
    postmortems: [],
    recentKeys: [],
    evidenceCount: 0,
    head: "",
  };
}

/**
 * What a rollout's phase makes of its flag. `off` and `rolledBack` let nobody further than legacy, not even by pin,
 * allow list or assignment; a paused
 * rollout keeps its split.
 */
export function overrideOf(state: RolloutState): FlagOverride {
  const version = state.version;
  if (state.phase.name === "retired") return { canaryPercent: 100, shadowPercent: 0, holdBackPercent: 0, version };
  const phase = activePhase(state.phase);
  switch (phase?.name) {
    case "internal":
      return { canaryPercent: 0, shadowPercent: 0, holdBackPercent: 0, version };
    case "shadow":
      return { canaryPercent: 0, shadowPercent: state.plan.shadow.percent, holdBackPercent: 0, version };
    case "canary":
      return {
        canaryPercent: state.plan.steps[phase.step]?.percent ?? 0,
        shadowPercent: 0,
        holdBackPercent: state.holdBack,
        version,
      };
    case "full":
      return { canaryPercent: 100, shadowPercent: 0, holdBackPercent: state.holdBack, version };
    default:
      return { canaryPercent: 0, shadowPercent: 0, holdBackPercent: 0, maxMode: "legacy", version };
  }
}
