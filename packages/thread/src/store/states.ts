import { HebraError } from "@hebra/core";

/** A state machine as data: from each state, the states that may follow. A state with none is terminal. */
export type StateTable<S extends string> = Readonly<Record<S, readonly S[]>>;

const table = <S extends string>(edges: { readonly [from in S]: readonly NoInfer<S>[] }): StateTable<S> => edges;

/** One turn, from its trigger to its outcome. */
export const executionStates = table({
  queued: ["running", "cancelled"],
  running: ["waiting", "completed", "failed", "cancelled", "incomplete"],
  waiting: ["running", "failed", "cancelled", "incomplete"],
  completed: [],
  failed: [],
  cancelled: [],
  incomplete: [],
});
export type ExecutionStatus = keyof typeof executionStates;

/** One iteration of a turn. */
export const stepStates = table({
  running: ["waiting", "completed", "failed", "cancelled"],
  waiting: ["running", "completed", "failed", "cancelled"],
  completed: [],
  failed: [],
  cancelled: [],
});
export type StepStatus = keyof typeof stepStates;

/** One visible input or output. */
export const itemStates = table({
  pending: ["completed", "failed", "cancelled"],
  completed: [],
  failed: [],
  cancelled: [],
});
export type ItemStatus = keyof typeof itemStates;

/** One call of an action. `interrupted` means: begun, outcome unknown; a person may settle it. */
export const callStates = table({
  requested: ["running", "awaiting_approval", "failed", "cancelled"],
  awaiting_approval: ["approved", "denied", "expired", "cancelled"],
  approved: ["running", "cancelled"],
  running: ["succeeded", "failed", "interrupted", "cancelled"],
  interrupted: ["succeeded", "failed"],
  succeeded: [],
  failed: [],
  denied: [],
  expired: [],
  cancelled: [],
});
export type CallStatus = keyof typeof callStates;

/** One line of a thread's history. */
export const contextStates = table({
  open: ["running", "closed"],
  running: ["open", "waiting"],
  waiting: ["running", "open", "closed"],
  closed: ["open"],
});
export type ContextStatus = keyof typeof contextStates;

/** A request for a person's consent to one call. */
export const approvalStates = table({
  pending: ["approved", "denied", "expired", "cancelled"],
  approved: [],
  denied: [],
  expired: [],
  cancelled: [],
});
export type ApprovalStatus = keyof typeof approvalStates;

/** An outgoing message recorded with the turn that made it. */
export const outboxStates = table({ pending: ["handed_over"], handed_over: [] });
export type OutboxStatus = keyof typeof outboxStates;

/** Whether nothing follows a state. */
export function isTerminal<S extends string>(states: StateTable<S>, state: S): boolean {
  return states[state].length === 0;
}

/**
 * Checks one edge. Staying in a state is not an edge and is allowed, so that a write can be repeated.
 *
 * @param what - the machine, for the message: `execution`.
 * @throws HebraError `ILLEGAL_TRANSITION`
 */
export function assertTransition<S extends string>(states: StateTable<S>, what: string, from: S, to: S): void {
  if (from === to || states[from].includes(to)) return;
  const allowed =
    states[from].length === 0 ? "it is an end state" : `from there it can go to ${states[from].join(", ")}`;
  throw new HebraError("ILLEGAL_TRANSITION", `The ${what} is ${from} and cannot become ${to}: ${allowed}.`, {
    details: { what, from, to },
  });
}
