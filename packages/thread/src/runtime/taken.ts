import type { ReceivedMessage } from "@hebra/bus";
import type { Snapshot } from "../store/store.ts";

/** A message that a holder has taken, and the turn that it began, joined, or had begun before. */
export interface Taken {
  message: ReceivedMessage;
  executionId: string | undefined;
  /** It was answered without a turn. */
  refused: boolean;
  failure: unknown;
}

/** How many of the messages, from the first, need nothing more to be done. */
export function settledCount(taken: readonly Taken[], snapshot: Snapshot | undefined): number {
  const first = taken.findIndex((entry) => !entry.refused && !isSettled(snapshot, entry.executionId));
  return first === -1 ? taken.length : first;
}

/** Nothing more is to be done for an execution that ended, waits for people, or is in line behind one that does. */
function isSettled(snapshot: Snapshot | undefined, executionId: string | undefined): boolean {
  if (snapshot === undefined) return true;
  const { active, queued } = snapshot;
  if (active?.execution.status === "waiting") return true;
  if (executionId === undefined) return active === undefined && queued.length === 0;
  return active?.execution.id !== executionId && !queued.some(({ execution }) => execution.id === executionId);
}
