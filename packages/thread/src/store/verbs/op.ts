import { decode, encode, encodeField } from "../codec.ts";
import type { Table, Value } from "../table.ts";

/** Which rows to read, by one of the table's ways of access. */
export interface Find {
  op: "find";
  table: Table<object>;
  access: string;
  /** One value for each field of the access's `by`; with `anyOf`, all but the last. */
  values: readonly Value[];
  /** Values of the last field of `by`, of which one must match. */
  anyOf?: readonly Value[];
  /** Only rows beyond these values of the first fields of the access's order. */
  range?: { is: ">" | "<" | "<="; values: readonly Value[] };
  /** Only rows whose field begins so. */
  prefix?: { field: string; value: string };
  descending?: boolean;
  limit?: number;
  /** Keep others from writing the rows until this write has ended. */
  lock?: boolean;
}

/**
 * Writes rows whole. `put` replaces the row of the same key, except columns that only the inbox writes and rows that are
 * settled; `insert` fails on a row that is there; `replace` replaces everything.
 */
export interface Put {
  op: "put";
  table: Table<object>;
  mode: "put" | "insert" | "replace";
  rows: readonly Value[][];
}

/** Changes some columns of one row. */
export interface Set {
  op: "set";
  table: Table<object>;
  /** One value for each field of the primary key. */
  key: readonly Value[];
  fields: Readonly<Record<string, Value>>;
}

/** Tells those who watch a context that its inbox has moved, once the write has landed. */
export interface Notify {
  op: "notify";
  tenant: string;
  contextId: string;
}

/** One access to tables. */
export type Op = Find | Put | Set | Notify;

/** What an op gives back: rows for `find`, nothing for the others. */
export type OpResult = readonly (readonly Value[])[];

/**
 * A verb of the store, written once for every adapter with tables: it yields what it wants read and written, and the
 * adapter does it inside one transaction, synchronously or not.
 */
export type Verb<T> = Generator<Op, T, OpResult>;

type FindOptions = Omit<Find, "op" | "table" | "access" | "values">;

/** The rows of an access, decoded. */
export function* find<R extends object>(table: Table<R>, access: string, values: readonly Value[], options: FindOptions = {}): Verb<R[]> {
  if (options.anyOf?.length === 0) return [];
  const found = yield { op: "find", table, access, values, ...options };
  return found.map((row) => decode(table, row));
}

/** The first row of an access, decoded. */
export function* findOne<R extends object>(table: Table<R>, access: string, values: readonly Value[], options: FindOptions = {}): Verb<R | undefined> {
  const found = yield { op: "find", table, access, values, limit: 1, ...options };
  return found[0] === undefined ? undefined : decode(table, found[0]);
}

/** Writes rows whole. */
export function* put<R extends object>(table: Table<R>, tenant: string, rows: readonly R[], mode: Put["mode"] = "put"): Verb<void> {
  if (rows.length > 0) yield { op: "put", table, mode, rows: rows.map((row) => encode(table, tenant, row)) };
}

/** Changes some columns of one row. */
export function* set<R extends object>(table: Table<R>, key: readonly Value[], fields: Partial<R>): Verb<void> {
  const encoded: Record<string, Value> = {};
  for (const [field, value] of Object.entries(fields)) {
    if (value !== undefined) encoded[field] = encodeField(table, field as keyof R & string, value as R[keyof R & string]);
  }
  yield { op: "set", table, key, fields: encoded };
}

/** Tells those who watch. */
export function* notify(tenant: string, contextId: string): Verb<void> {
  yield { op: "notify", tenant, contextId };
}
