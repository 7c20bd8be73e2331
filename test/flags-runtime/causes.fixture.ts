import { createHash } from "node:crypto";

/** What goes wrong in a bad session. */
export type Fault =
  | "failed-turn"
  | "failed-action"
  | "incomplete"
  | "missing-rows"
  | "unknown"
  | "critical"
  | "slow"
  | "dear";

export const faults: readonly Fault[] = [
  "failed-turn",
  "failed-action",
  "incomplete",
  "missing-rows",
  "unknown",
  "critical",
  "slow",
  "dear",
];

/** The share of sessions that are bad, by engine. */
export interface Shares {
  readonly old: number;
  readonly new: number;
}

/** One rollout: what goes wrong, and how often in each engine. */
export interface Cause {
  readonly fault: Fault | undefined;
  readonly shares: Shares;
}

/** The old engine's rate where the new one has ten times as much. */
const RATE = 0.04;

/** Every cause at 100 %, at ten times the old engine's rate, and its healthy twin. */
export const causes: readonly (Cause & { readonly title: string })[] = [
  ...faults.flatMap((fault) => [
    { title: `${fault} in every session`, fault, shares: { old: 0, new: 1 } },
    { title: `${fault} at ten times the old engine's rate`, fault, shares: { old: RATE, new: RATE * 10 } },
  ]),
];

/** Whether a session is one of the bad ones; the same in every run. */
export function isBad(session: string, share: number): boolean {
  return createHash("sha256").update(session).digest().readUInt32BE(0) < share * 2 ** 32;
}

/** What happens in one turn of a session. */
export interface Behaviour {
  readonly ms: number;
  readonly costUsd: number;
  readonly throws: Error | undefined;
  readonly actionFails: boolean;
  /** The operation that is tried besides. */
  readonly pays: boolean;
  readonly cutShort: boolean;
}

const HEALTHY: Behaviour = {
  ms: 200,
  costUsd: 0.002,
  throws: undefined,
  actionFails: false,
  pays: false,
  cutShort: false,
};

/** @param turn - counts from 0 in its session. @param coded - makes an error that somebody has classified */
export function behaviour(
  { fault, shares }: Cause,
  engine: keyof Shares,
  { session, turn }: { session: string; turn: number },
  coded: () => Error,
): Behaviour {
  if (fault === undefined || !isBad(session, shares[engine])) return HEALTHY;
  const later = turn > 0;
  switch (fault) {
    case "failed-turn":
      return { ...HEALTHY, throws: coded() };
    case "unknown":
      return { ...HEALTHY, throws: new Error("Something nobody has seen before.") };
    case "failed-action":
      return { ...HEALTHY, actionFails: true };
    case "incomplete":
      return { ...HEALTHY, cutShort: true };
    case "critical":
      return { ...HEALTHY, pays: true };
    case "slow":
      return later ? { ...HEALTHY, ms: 600 } : HEALTHY;
    case "dear":
      return later ? { ...HEALTHY, costUsd: 0.006 } : HEALTHY;
    // The turn itself is as ever: the store loses what it wrote.
    case "missing-rows":
      return HEALTHY;
  }
}
