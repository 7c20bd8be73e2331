/** Where a rollout can stand while it is neither paused nor rolled back. */
export type ActivePhase =
  | { readonly name: "internal" }
  | { readonly name: "shadow" }
  /** `step` counts the plan's steps from 0. */
  | { readonly name: "canary"; readonly step: number }
  | { readonly name: "full" };

/**
 * Where a rollout stands. This is the stored truth: the flag's percentages are derived from it, never the other way
 * round.
 */
export type Phase =
  | { readonly name: "off" }
  | ActivePhase
  | { readonly name: "retired" }
  | { readonly name: "paused"; readonly from: ActivePhase }
  /** Latched: only a person's reset leads out. */
  | { readonly name: "rolledBack"; readonly from: ActivePhase };

/** The name of a phase. */
export type PhaseName = Phase["name"];

/** A phase as people write it: `off`, `canary(1)`, `paused(canary(1))`. */
export function phaseLabel(phase: Phase): string {
  switch (phase.name) {
    case "canary":
      return `canary(${phase.step})`;
    case "paused":
    case "rolledBack":
      return `${phase.name}(${phaseLabel(phase.from)})`;
    default:
      return phase.name;
  }
}

/** Whether both labels are the same phase. */
export function samePhase(a: Phase, b: Phase): boolean {
  return phaseLabel(a) === phaseLabel(b);
}

/** The phase whose traffic split is in force: a paused rollout keeps the split it had. */
export function activePhase(phase: Phase): ActivePhase | undefined {
  switch (phase.name) {
    case "off":
    case "retired":
    case "rolledBack":
      return undefined;
    case "paused":
      return phase.from;
    default:
      return phase;
  }
}

/** Whether sessions are split at random between both engines: in a canary and in `full`, paused or not. */
export function isRandomised(phase: Phase): boolean {
  const active = activePhase(phase);
  return active?.name === "canary" || active?.name === "full";
}
