import type { JsonValue } from "@hebra/core";
import { toStorable } from "../../definition/storable.ts";
import type { ItemRow, StoredError } from "../../store/rows.ts";
import type { Changes } from "../../store/store.ts";
import type { Answer } from "../turn/answer.ts";
import type { CallResult } from "../turn/call-result.ts";
import type { PreparedCall } from "../turn/prepare-calls.ts";
import type { Continuation, TurnState } from "../turn/turn-state.ts";
import { checkpoint, clearDraft, createDraft, type Draft, type TurnRows } from "./draft.ts";
import { recordAnswer } from "./record-answer.ts";
import { approveCall, askOutcome, closeQuestion, findCall, rerunCall, settleCall } from "./record-calls.ts";
import { buildChanges } from "./record-end.ts";
import { ownTurn } from "./own-turn.ts";
import { itemData } from "./start.ts";
import { documentBefore } from "./state.ts";

/** Turns what happened into rows and events, and keeps them until the next write is committed. */
export interface Recorder {
  readonly rows: TurnRows;
  /**
   * Adds an answer. Of one that was cut off there are no prepared calls, and its calls are left out.
   *
   * @param reactor - whose session it is
   */
  answer(answer: Answer, prepared: readonly PreparedCall[], reactor: string): void;
  /** Settles a call and merges its result into its part. */
  result(callId: string, result: CallResult): void;
  /** A person said yes: the call may run. */
  approve(callId: string, input: JsonValue): void;
  /** A person is to say what became of a call that was cut off. */
  askOutcome(callId: string, question?: string): void;
  /** The call runs once more after a crash. */
  rerun(callId: string): void;
  /** Gives input that came while the turn ran its place in the order. */
  steer(item: ItemRow): void;
  /**
   * Gives messages that had joined the turn turns of their own, and no others any more. @returns the ids of those for
   * which enough is kept
   */
  release(items: readonly ItemRow[]): ReadonlySet<string>;
  /** Closes a request for consent that was not answered. */
  closeApproval(callId: string, status: "expired" | "cancelled"): void;
  /** The next state document. */
  setState(state: JsonValue): void;
  fail(error: StoredError): void;
  setOutput(output: JsonValue): void;
  handedOver(outboxIds: readonly string[]): void;
  /** Everything since the last write, with what the continuation adds. */
  build(continuation: Continuation, state: TurnState): Changes;
  /** Says that the last build was committed. */
  committed(seq: number): void;
  /** Takes the last build back, as it was refused; what came in before it is kept. */
  rollback(): void;
}

/**
 * @param rows - as they are in the store. Changed in place.
 * @param outgoing - what an ended turn sends: it becomes outbox rows of the same write.
 */
export function createRecorder(
  tenant: string,
  rows: TurnRows,
  now: () => number,
  outgoing: (rows: TurnRows) => readonly JsonValue[] = () => [],
): Recorder {
  const draft = createDraft(tenant, rows, now);
  let rollback = () => {};
  return {
    rows,
    answer: (answer, prepared, reactor) => recordAnswer(draft, answer, prepared, reactor),
    result: (callId, result) => settleCall(draft, findCall(draft, callId), result),
    approve: (callId, input) => approveCall(draft, callId, input),
    askOutcome: (callId, question) => askOutcome(draft, callId, question),
    rerun: (callId) => rerunCall(draft, callId),
    steer: (item) => steer(draft, item),
    release: (items) => release(draft, items),
    closeApproval: (callId, status) => closeQuestion(draft, findCall(draft, callId), status),
    setState: (state) => setState(draft, state),
    fail(error) {
      rows.execution = { ...rows.execution, error };
      rows.step = { ...rows.step, error };
      draft.stepDirty = true;
    },
    setOutput: (output) => void (rows.execution = { ...rows.execution, output: toStorable(output).value }),
    handedOver: (ids) => void draft.outboxDone.push(...ids),
    build(continuation, state) {
      rollback = checkpoint(draft);
      return buildChanges(draft, continuation, state, outgoing);
    },
    committed(seq) {
      rows.context = { ...rows.context, ...draft.patch, seq };
      clearDraft(draft);
      rollback = () => {};
    },
    rollback: () => rollback(),
  };
}

function steer({ items, writer, rows, now }: Draft, item: ItemRow): void {
  const placed: ItemRow = {
    ...item,
    seq: writer.nextSeq(),
    metadata: { ...item.metadata, heardAt: rows.step.iteration + 1 },
    updatedAt: now(),
  };
  items.push(placed);
  writer.add("item-created", itemData(placed));
}

function release(draft: Draft, items: readonly ItemRow[]): ReadonlySet<string> {
  draft.released.clear();
  for (const item of items) {
    const own = ownTurn(draft.tenant, item, draft.now());
    if (own !== undefined) draft.released.set(item.id, own);
  }
  return new Set(draft.released.keys());
}

function setState({ patch, writer, rows }: Draft, state: JsonValue): void {
  patch.state = state;
  // The document may have been read in an older form: what is written is of the present one.
  const { stateVersion } = rows.context;
  patch.stateVersion = stateVersion;
  writer.add("context-changed", { state, stateVersion, ...documentBefore(rows.context) });
}
