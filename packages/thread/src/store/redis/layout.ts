import { ROW_VERSION } from "../rows.ts";
import type { Access, Table, Value } from "../table.ts";
import { approvals, contexts, executions, leases, outbox, threads } from "../tables.ts";

/**
 * How tables lie in Redis. Everything of a thread is under one hash tag, so that one script may touch all of it:
 *
 * - a *wide* row is a hash of its own with a field per column: what scripts compare or change by column;
 * - other rows are *packed*, each as one JSON array, into a hash per partition (the primary key without its last
 *   field);
 * - wide rows of a partition are listed in a set; rows in an order are in a sorted set per access.
 */
const wide = new Set<string>([threads, contexts, executions, approvals, outbox, leases].map((table) => table.name));

export const isWide = (table: Table<object>): boolean => wide.has(table.name);

/** Null in a wide row. No other value can hold U+0000. */
const NULL = "\u0000";

export const toField = (value: Value): string => (value === null ? NULL : String(value));

/** A wide row as read, in the order of the table's columns; `undefined` when there is none. */
export function fromFields(
  table: Table<object>,
  tenant: string,
  fields: readonly (string | null)[],
): Value[] | undefined {
  if (fields[1] === null) return undefined;
  return table.columns.map((column, i) => {
    if (i === 0) return tenant;
    const field = fields[i];
    // A column that came with a later build is missing in older rows.
    if (field === null || field === undefined || field === NULL) return null;
    return column.kind === "int" || column.kind === "bool" ? Number(field) : field;
  });
}

/** What depends on a table alone, found out once. */
export function ofTable<T>(make: (table: Table<object>) => T): (table: Table<object>) => T {
  const made = new Map<Table<object>, T>();
  return (table) => {
    let found = made.get(table);
    if (found === undefined) made.set(table, (found = make(table)));
    return found;
  };
}

/** The places of the columns that each schema version brought. */
const lines = ofTable((table) =>
  Array.from({ length: ROW_VERSION }, (_, i) =>
    [...table.columns.keys()].filter((place) => place > 0 && table.columns[place]!.since === i + 1),
  ),
);

/** A packed row: a line of JSON for each schema version, with the columns that came with it. */
export function pack(table: Table<object>, values: readonly Value[]): string {
  return lines(table)
    .map((places) => JSON.stringify(places.map((place) => values[place])))
    .join("\n");
}

export function unpack(table: Table<object>, tenant: string, packed: string): Value[] {
  const lines = packed.split("\n").map((line) => JSON.parse(line) as Value[]);
  const columnsLeft = lines.map((line) => line.values());
  return table.columns.map(({ field, since }, i): Value => {
    if (i === 0) return tenant;
    const value = columnsLeft[since - 1]?.next().value ?? null;
    // An older build that writes over a row leaves the lines that it does not know.
    return field === "v" ? Math.max(Number(value), lines.length) : value;
  });
}

/** How an access is served. */
export type Served =
  /** By the primary key. */
  | "key"
  /** By the rows of a partition. */
  | "partition"
  /** By a hash from the row's id to its partition. */
  | "directory"
  /** By a sorted set. */
  | "index"
  /** By keys outside of any thread. */
  | "global";

export const servedBy = (table: Table<object>, access: Access): Served => servers(table).get(access)!;

const servers = ofTable(
  (table) => new Map(Object.values(table.accesses).map((access) => [access, serverOf(table, access)])),
);

function serverOf(table: Table<object>, access: Access): Served {
  if (access.name === "key") return "key";
  if (
    access.by[0] !== "tenant" ||
    table === (threads as Table<object>) ||
    (table === (contexts as Table<object>) && access.name !== "key")
  )
    return "global";
  if (access.unique && access.order.length === 0) return "directory";
  const partition = table.key.slice(0, -1);
  const numeric = table.columns[table.places.get(access.order[0] ?? "") ?? -1]?.kind === "int";
  return !numeric && access.by.join() === partition.join() ? "partition" : "index";
}

/** A table's name in keys. */
export const shortName = ofTable((table) => table.name.replace("thread_", ""));

/** The values of a row's primary key without the tenant. */
export function keyValues(table: Table<object>, row: readonly Value[]): Value[] {
  return table.key.slice(1).map((field) => row[placeOf(table, field)]!);
}

export function placeOf(table: Table<object>, field: string): number {
  return table.places.get(field)!;
}

/** The names of a thread's keys. */
export interface ThreadKeys {
  revision: string;
  /** The hash of a wide row. */
  row(table: Table<object>, key: readonly Value[]): string;
  /** The hash of a partition's packed rows. */
  packed(table: Table<object>, partition: readonly Value[]): string;
  /** The set of a partition's wide rows. */
  list(table: Table<object>, partition: readonly Value[]): string;
  directory(table: Table<object>, access: Access): string;
  index(table: Table<object>, access: Access, by: readonly Value[]): string;
}

export function threadKeys(keys: Keys, tag: string): ThreadKeys {
  return {
    revision: keys.of(tag, "revision"),
    row: (table, key) => keys.of(tag, shortName(table), ...key),
    packed: (table, partition) => keys.of(tag, shortName(table), ...partition),
    list: (table, partition) => keys.of(tag, `${shortName(table)}.list`, ...partition),
    directory: (table, access) => keys.of(tag, `${shortName(table)}.${access.name}`),
    index: (table, access, by) => keys.of(tag, `${shortName(table)}.${access.name}`, ...by),
  };
}

/** Makes the names of keys. Parts are encoded, so that none can run into another or end the hash tag. */
export interface Keys {
  /** What identifies a thread's keys. */
  tag(tenant: string, threadId: string): string;
  /** One of a thread's keys. */
  of(tag: string, ...parts: (string | Value)[]): string;
  /** A key outside of any thread. */
  global(...parts: string[]): string;
}

export function createKeys(namespace: string): Keys {
  const encode = (part: string | Value) => encodeURIComponent(String(part));
  return {
    tag: (tenant, threadId) => `${encode(tenant)}/${encode(threadId)}`,
    of: (tag, ...parts) => `${namespace}:{${tag}}:${parts.map(encode).join(":")}`,
    global: (...parts) => `${namespace}:${parts.map(encode).join(":")}`,
  };
}
