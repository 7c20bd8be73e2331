import { HebraError } from "@hebra/core";
import { activePhase, phaseLabel, type ActivePhase, type Phase, type PhaseName } from "./phase.ts";

/** What can be asked of a rollout. */
export type RolloutEvent =
  | "start"
  | "advance"
  | "cutover"
  | "retreat"
  | "set-hold-back"
  | "pause"
  | "resume"
  | "rollback"
  | "reset"
  | "retire"
  | "reinstate";

/** Every event, in the order of a rollout's life. */
export const rolloutEvents: readonly RolloutEvent[] = [
  "start",
  "advance",
  "cutover",
  "retreat",
  "set-hold-back",
  "pause",
  "resume",
  "rollback",
  "reset",
  "retire",
  "reinstate",
];

/** What an edge needs to know besides the phase. */
export interface TransitionContext {
  /** How many canary steps the plan has. */
  readonly steps: number;
  /** Where a reset leads. @defaultValue "internal" */
  readonly resetTo?: "internal" | "shadow";
}

type Edge = (phase: Phase, context: TransitionContext) => Phase;
type Row = Readonly<Partial<Record<RolloutEvent, Edge>>>;

const step = (phase: Phase): number => (phase.name === "canary" ? phase.step : 0);
const active = (phase: Phase): ActivePhase => {
  const found = activePhase(phase);
  if (found === undefined) throw new HebraError("INTERNAL", `${phaseLabel(phase)} has no active phase.`);
  return found;
};
const to =
  (phase: Phase): Edge =>
  () =>
    phase;
const firstCanary: Edge = (_, { steps }) => (steps === 0 ? { name: "full" } : { name: "canary", step: 0 });
const nextCanary: Edge = (phase, { steps }) =>
  step(phase) + 1 < steps ? { name: "canary", step: step(phase) + 1 } : { name: "full" };
const previousCanary: Edge = (phase) =>
  step(phase) === 0 ? { name: "shadow" } : { name: "canary", step: step(phase) - 1 };
const lastCanary: Edge = (_, { steps }) => (steps === 0 ? { name: "shadow" } : { name: "canary", step: steps - 1 });
const pause: Edge = (phase) => ({ name: "paused", from: active(phase) });
const rollback: Edge = (phase) => ({ name: "rolledBack", from: active(phase) });

/**
 * Every edge there is. Each step forward has one back (`retreat`), `rollback` leads out of every phase that serves the
 * new engine and out of a
 * pause, and the two latches open only by a person: `rolledBack` by `reset`, `retired` by `reinstate` until the old
 * code is removed.
 */
const edges: Readonly<Record<PhaseName, Row>> = {
  off: { start: to({ name: "internal" }) },
  internal: { advance: to({ name: "shadow" }), retreat: to({ name: "off" }), rollback },
  shadow: { advance: firstCanary, cutover: to({ name: "full" }), retreat: to({ name: "internal" }), pause, rollback },
  canary: { advance: nextCanary, cutover: to({ name: "full" }), retreat: previousCanary, pause, rollback },
  full: {
    retire: to({ name: "retired" }),
    "set-hold-back": to({ name: "full" }),
    retreat: lastCanary,
    pause,
    rollback,
  },
  paused: { resume: active, rollback },
  rolledBack: { reset: (_, { resetTo = "internal" }) => ({ name: resetTo }) },
  retired: { reinstate: to({ name: "full" }) },
};

/** The events that the machine knows in a phase; whether their evidence is there is another question. */
export function legalEvents(phase: Phase): RolloutEvent[] {
  return rolloutEvents.filter((event) => edges[phase.name][event] !== undefined);
}

/**
 * The phase that an event leads to.
 *
 * @throws HebraError `ILLEGAL_TRANSITION` when there is no such edge; `details` has `phase`, `event` and the `legal`
 * events.
 */
export function nextPhase(phase: Phase, event: RolloutEvent, context: TransitionContext): Phase {
  const edge = edges[phase.name][event];
  if (edge === undefined) {
    const legal = legalEvents(phase);
    throw new HebraError(
      "ILLEGAL_TRANSITION",
      `A rollout that is ${phaseLabel(phase)} cannot \`${event}\`. From here it can: ${legal.join(", ")}.`,
      { details: { phase: phaseLabel(phase), event, legal } },
    );
  }
  return edge(phase, context);
}
