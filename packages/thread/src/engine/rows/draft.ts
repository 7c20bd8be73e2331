import {
  ROW_VERSION,
  type ApprovalRow,
  type CallRow,
  type ContextRow,
  type ExecutionRow,
  type ItemRow,
  type PartRow,
  type StepRow,
} from "../../store/rows.ts";
import type { ContextPatch } from "../../store/store.ts";
import type { OwnTurn } from "./own-turn.ts";
import { createEventWriter, type EventWriter } from "./event-writer.ts";

/** The rows of a turn in this process: what the store holds, and what the next write will add to it. */
export interface TurnRows {
  context: ContextRow;
  execution: ExecutionRow;
  trigger: ItemRow;
  reaction: ItemRow;
  step: StepRow;
  /** All of the execution, in order. */
  parts: PartRow[];
  /** All of the execution. */
  calls: CallRow[];
  approvals: ApprovalRow[];
}

/** The next write of a turn while it is put together. Changed in place by the parts of the recorder. */
export interface Draft {
  readonly tenant: string;
  readonly rows: TurnRows;
  now(): number;
  readonly parts: Map<string, PartRow>;
  readonly calls: Map<string, CallRow>;
  readonly approvals: Map<string, ApprovalRow>;
  /** Where each part and call stands in `rows`, by its row id: an answer may have thousands. */
  readonly partAt: Map<string, number>;
  readonly callAt: Map<string, number>;
  items: ItemRow[];
  /** Messages that had joined the turn and go on without it, by the ids of their items. */
  readonly released: Map<string, OwnTurn>;
  outboxDone: string[];
  patch: Omit<ContextPatch, "updatedAt">;
  writer: EventWriter;
  stepDirty: boolean;
  /** The engine's `outbox` function threw for this turn. */
  outboxFailed: boolean;
}

/** @param rows - as they are in the store. Changed in place. */
export function createDraft(tenant: string, rows: TurnRows, now: () => number): Draft {
  return {
    tenant,
    rows,
    now,
    parts: new Map(),
    calls: new Map(),
    approvals: new Map(),
    partAt: new Map(rows.parts.map(({ id }, index) => [id, index])),
    callAt: new Map(rows.calls.map(({ id }, index) => [id, index])),
    items: [],
    released: new Map(),
    outboxDone: [],
    patch: {},
    writer: newWriter(tenant, rows, now()),
    stepDirty: false,
    outboxFailed: false,
  };
}

function newWriter(tenant: string, { context, execution }: TurnRows, at: number): EventWriter {
  return createEventWriter({ tenant, contextId: context.id, executionId: execution.id, seq: context.seq, at });
}

/** Empties the draft after its write has been committed. */
export function clearDraft(draft: Draft): void {
  draft.patch = {};
  draft.items = [];
  draft.outboxDone = [];
  draft.stepDirty = false;
  draft.parts.clear();
  draft.calls.clear();
  draft.approvals.clear();
  draft.released.clear();
  draft.writer = newWriter(draft.tenant, draft.rows, draft.now());
}

/** Remembers what a build changes. @returns takes the build back; what came in before it is kept */
export function checkpoint(draft: Draft): () => void {
  const { rows, writer } = draft;
  const kept = { ...rows, parts: [...rows.parts], calls: [...rows.calls], approvals: [...rows.approvals] };
  const dirty = (["parts", "calls", "approvals"] as const).map((table) => [table, [...draft[table]]] as const);
  const events = writer.events.length;
  const patch = { ...draft.patch };
  const items = draft.items.length;
  return () => {
    Object.assign(rows, { step: kept.step, reaction: kept.reaction, execution: kept.execution });
    for (const table of ["parts", "calls", "approvals"] as const)
      rows[table].splice(0, Infinity, ...(kept[table] as never[]));
    for (const [table, entries] of dirty) restore<never>(draft[table] as Map<string, never>, entries as never);
    writer.events.length = events;
    draft.patch = patch;
    draft.items.length = items;
  };
}

function restore<Row>(map: Map<string, Row>, entries: readonly (readonly [string, Row])[]): void {
  map.clear();
  for (const [id, row] of entries) map.set(id, row);
}

/** The columns that every new row of a turn has. */
export function baseRow({ rows }: Draft, at: number) {
  return {
    v: ROW_VERSION,
    contextId: rows.context.id,
    executionId: rows.execution.id,
    createdAt: at,
    updatedAt: at,
    provenance: null,
  };
}

/** Adds or replaces a part. */
export function putPart(draft: Draft, part: PartRow): void {
  put(draft.rows.parts, draft.partAt, part);
  draft.parts.set(part.id, part);
}

/** Adds or replaces a call. */
export function putCall(draft: Draft, call: CallRow): void {
  put(draft.rows.calls, draft.callAt, call);
  draft.calls.set(call.id, call);
}

function put<Row extends { id: string }>(rows: Row[], at: Map<string, number>, row: Row): void {
  const index = at.get(row.id);
  if (index === undefined) at.set(row.id, rows.push(row) - 1);
  else rows[index] = row;
}
