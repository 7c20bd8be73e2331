import { decode, encode, encodeField } from "../codec.ts";
import type { Table, Value } from "../table.ts";

/** A value that another find of the same read gives: the field of its only row or, for `anyOf`, of each. */
export interface Ref {
  of: Find;
  field: string;
}

/** Which rows to read, by one of the table's ways of access. */
export interface Find {
  table: Table<object>;
  access: string;
  /** One value for each field of the access's `by`; with `anyOf`, all but the last. */
  values: readonly (Value | Ref)[];
  /** Values of the last field of `by`, of which one must match. */
  anyOf?: readonly Value[] | Ref;
  /** Only rows beyond these values of the first fields of the access's order. */
  range?: { is: ">" | "<" | "<="; values: readonly Value[] };
  /** Only rows whose field begins so. */
  prefix?: { field: string; value: string };
  descending?: boolean;
  limit?: number;
  /** Keep others from writing the rows until this transaction has ended. */
  lock?: boolean;
  /** Refuse rows of which this build knows only a part. */
  whole?: boolean;
}

/** Reads several things at one moment. */
export interface Read {
  op: "read";
  finds: readonly Find[];
}

/**
 * Rows to write whole. `put` replaces the row of the same key, except columns that only the inbox writes and rows that
 * are
 * settled; `insert` fails on a row that is there; `replace` replaces everything.
 */
export interface Put {
  table: Table<object>;
  mode: "put" | "insert" | "replace";
  rows: readonly Value[][];
}

/** Rows to remove, whole as they were read; always all rows of a thread, and only together with its own. */
export interface Drop {
  table: Table<object>;
  rows: readonly Value[][];
}

/** Columns to change in one row, or in several with `anyOf`. */
export interface Update {
  table: Table<object>;
  /** One value for each field of the primary key; with `anyOf`, all but the last. */
  key: readonly Value[];
  anyOf?: readonly Value[];
  fields: Readonly<Record<string, Value>>;
}

/** A change of one row on which a whole write depends. */
export interface When {
  table: Table<object>;
  key: readonly Value[];
  conditions: readonly { field: string; is: "=" | "<=" | "<>"; value: Value }[];
  fields: Readonly<Record<string, Value>>;
  /** The field to give back, a number, as it is after the change. */
  returning: string;
}

/** Changes several things at once: all of them or, where `when` does not hold or a row is in the way, none. */
export interface Write {
  op: "write";
  when?: When;
  puts: readonly Put[];
  sets: readonly Update[];
  drops?: readonly Drop[];
  /** Tells those who watch this context that its inbox has moved, once the write has landed. */
  notify?: { tenant: string; contextId: string };
}

/** One access to tables. */
export type Op = Read | Write;

/** Rows as they are kept. */
export type Rows = readonly (readonly Value[])[];

/**
 * What an op gives back: for a read, the rows of each find; for a write with `when`, a row of what it returns, if it
 * held.
 */
export type OpResult = readonly Rows[];

/**
 * A verb of the store, written once for every adapter with tables: it yields what it wants read and written, and the
 * adapter does it, synchronously or not.
 */
export type Verb<T> = Generator<Op, T, OpResult>;

export type FindOptions = Omit<Find, "table" | "access" | "values">;

/** Describes a find whose rows are of a known type. */
export function finding<R extends object>(
  table: Table<R>,
  access: string,
  values: readonly (Value | Ref)[],
  options: FindOptions = {},
): Find & { table: Table<R> } {
  return { table, access, values, ...options };
}

type RowsOf<F> = F extends { table: Table<infer R> } ? R[] : never;

/** Reads several things at one moment, decoded. */
export function* readAll<F extends readonly Find[]>(...finds: F): Verb<{ [I in keyof F]: RowsOf<F[I]> }> {
  const found = yield { op: "read", finds };
  return finds.map((one, i) => found[i]!.map((row) => decode(one.table, row, one.whole))) as {
    [I in keyof F]: RowsOf<F[I]>;
  };
}

/** The rows of an access, decoded. */
export function* find<R extends object>(
  table: Table<R>,
  access: string,
  values: readonly Value[],
  options: FindOptions = {},
): Verb<R[]> {
  if (Array.isArray(options.anyOf) && options.anyOf.length === 0) return [];
  const [rows] = yield { op: "read", finds: [finding(table, access, values, options)] };
  return rows!.map((row) => decode(table, row, options.whole));
}

/** The first row of an access, decoded. */
export function* findOne<R extends object>(
  table: Table<R>,
  access: string,
  values: readonly Value[],
  options: FindOptions = {},
): Verb<R | undefined> {
  return (yield* find(table, access, values, access === "key" ? options : { limit: 1, ...options }))[0];
}

/** Rows to write whole; nothing where there are none. */
export function putting<R extends object>(
  table: Table<R>,
  tenant: string,
  rows: readonly R[] | undefined,
  mode: Put["mode"] = "put",
): Put[] {
  return rows === undefined || rows.length === 0
    ? []
    : [{ table, mode, rows: rows.map((row) => encode(table, tenant, row)) }];
}

/** Rows to remove; nothing where there are none. */
export function removing<R extends object>(table: Table<R>, tenant: string, rows: readonly R[]): Drop[] {
  return rows.length === 0 ? [] : [{ table, rows: rows.map((row) => encode(table, tenant, row)) }];
}

/** Fields as they are kept. */
export function encoded<R extends object>(table: Table<R>, fields: Partial<R>): Record<string, Value> {
  const values: Record<string, Value> = {};
  for (const [field, value] of Object.entries(fields)) {
    if (value !== undefined)
      values[field] = encodeField(table, field as keyof R & string, value as R[keyof R & string]);
  }
  return values;
}

/** Columns to change in one row. */
export function setting<R extends object>(
  table: Table<R>,
  key: readonly Value[],
  fields: Partial<R>,
  anyOf?: readonly Value[],
): Update {
  return { table, key, fields: encoded(table, fields), ...(anyOf !== undefined && { anyOf }) };
}

/** Writes at once. */
export function* write(change: Partial<Omit<Write, "op">>): Verb<Rows> {
  const [rows] = yield { op: "write", puts: [], sets: [], ...change };
  return rows ?? [];
}
