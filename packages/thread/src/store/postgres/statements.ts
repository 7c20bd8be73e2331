import { createHash } from "node:crypto";
import { columnsOf, conflictText, findShape, selectText, whenShape, type Dialect } from "../sql/text.ts";
import type { DdlDialect } from "../sql/ddl.ts";
import { columnName, type Kind, type Table } from "../table.ts";
import type { Drop, Find, Put, Read, Ref, Rows, Update, When, Write } from "../verbs/op.ts";
import type { SqlValue } from "./port.ts";

/** One statement with its values, and how to read its answer. */
export interface Statement {
  name: string;
  text: string;
  values: SqlValue[];
}

const quote = (name: string) => `"${name}"`;
const isRef = (value: unknown): value is Ref => typeof value === "object" && value !== null && "of" in value;

/** How this database writes what is the same everywhere, in a schema of the host's choice. */
export function dialectOf(schema: string): Dialect {
  return {
    placeholder: (n) => `$${n}`,
    oneOf: (column, n) => `${column} = ANY(ARRAY(SELECT json_array_elements_text($${n}::json)))`,
    each: (n) => `json_array_elements_text($${n}::json)`,
    // A bigint would come as text; a double holds every safe integer.
    read: (column, integer) => (integer ? `${column}::float8 AS ${column}` : column),
    table: (name) => `${quote(schema)}.${name}`,
    greatest: "greatest",
    lock: " FOR UPDATE",
  };
}

export function ddlOf(schema: string): DdlDialect {
  // One byte order everywhere, whatever the database's locale: cursors and pages depend on it.
  return {
    text: 'TEXT COLLATE "C"',
    integer: "BIGINT",
    table: (name) => `${quote(schema)}.${name}`,
    index: (name) => `${quote(schema)}.${quote(name)}`,
    suffix: "",
    fill: (table, percent) => `ALTER TABLE ${table} SET (fillfactor = ${percent})`,
  };
}

/** Writes statements for one schema, each text once. */
export interface StatementWriter {
  read(read: Read): Statement;
  write(write: Write): Statement;
}

/** @param busyMs - how long a write may wait for others' locks, in milliseconds */
export function createStatements(schema: string, channel: string, busyMs: number): StatementWriter {
  const dialect = dialectOf(schema);
  const known = new Map<string, { name: string; text: string }>();
  const once = (shape: string, text: () => string): { name: string; text: string } => {
    let found = known.get(shape);
    if (found === undefined) {
      const made = text();
      known.set(
        shape,
        (found = { text: made, name: `hebra_${createHash("sha256").update(made).digest("hex").slice(0, 24)}` }),
      );
    }
    return found;
  };
  return {
    read(read) {
      const all = everyFind(read.finds);
      const place = new Map(all.map((find, i) => [find, i]));
      const shape = `read|${read.finds.map((find) => place.get(find)).join()}|${all.map((find) => shapeOf(find, place)).join("&")}`;
      return { ...once(shape, () => readText(all, read.finds, place, dialect)), values: all.flatMap(valuesOf) };
    },
    write(write) {
      const shape = `write|${write.when === undefined ? "" : whenShape(write.when)}|${write.puts.map((put) => `${put.mode}${put.table.name}${isSingle(put) ? "" : "*"}`).join()}|${write.sets.map((one) => `${one.table.name}:${Object.keys(one.fields).join("+")}${one.anyOf === undefined ? "" : "*"}`).join()}|${(write.drops ?? []).map(({ table }) => table.name).join()}|${write.notify === undefined ? "" : "n"}`;
      return { ...once(shape, () => writeText(write, dialect, channel, busyMs)), values: writeValues(write) };
    },
  };
}

/** Every find that a read needs, each after those that it refers to. */
function everyFind(finds: readonly Find[]): Find[] {
  const all = new Set<Find>();
  const visit = (find: Find) => {
    for (const value of [...find.values, find.anyOf]) if (isRef(value)) visit(value.of);
    all.add(find);
  };
  finds.forEach(visit);
  return [...all];
}

function shapeOf(find: Find, place: ReadonlyMap<Find, number>): string {
  const refs = [...find.values, find.anyOf].map((value) =>
    isRef(value) ? `${place.get(value.of)}.${value.field}` : "",
  );
  return `${findShape(find)}|${refs.join()}`;
}

function valuesOf(find: Find): SqlValue[] {
  const values: SqlValue[] = find.values.filter((value) => !isRef(value)) as SqlValue[];
  if (find.anyOf !== undefined && !isRef(find.anyOf)) values.push(JSON.stringify([...new Set(find.anyOf)]));
  if (find.range !== undefined) values.push(...find.range.values);
  if (find.prefix !== undefined) values.push(find.prefix.value);
  if (find.limit !== undefined) values.push(find.limit);
  return values;
}

/**
 * Each find is a part of one statement, so that all see the same moment. A single one gives its rows; several give one
 * row
 * with a JSON array of rows for each.
 */
function readText(
  all: readonly Find[],
  wanted: readonly Find[],
  place: ReadonlyMap<Find, number>,
  dialect: Dialect,
): string {
  const count = { n: 0 };
  const parts = all.map((find) =>
    selectText(find, dialect, count, (ref) => `SELECT ${quote(columnName(ref.field))} FROM f${place.get(ref.of)}`),
  );
  if (all.length === 1) return parts[0]!;
  const list = (find: Find) => `json_build_array(${find.table.columns.map((column) => quote(column.name)).join(", ")})`;
  const results = wanted.map((find, i) => `(SELECT json_agg(${list(find)}) FROM f${place.get(find)}) AS r${i}`);
  return `WITH ${parts.map((text, i) => `f${i} AS (${text})`).join(", ")} SELECT ${results.join(", ")}`;
}

/** The rows of each find. */
export function readResult(read: Read, rows: unknown[][]): Rows[] {
  const single = read.finds.length === 1 && everyFind(read.finds).length === 1;
  if (single) return [rows as Rows];
  return rows[0]!.map((found) =>
    found === null ? [] : ((typeof found === "string" ? JSON.parse(found) : found) as Rows),
  );
}

const typeOf = (kind: Kind) => (kind === "int" || kind === "bool" ? "::bigint" : "::text");

/** On which part of the statement a change depends: the conditional change, or that the time limit is set. */
type Gate = "g" | "t";

/**
 * One row goes value by value, which costs the server least; several as one array, so that their number makes no other
 * statement.
 */
const isSingle = ({ rows }: Put) => rows.length === 1;

function putText(put: Put, first: number, gate: Gate, dialect: Dialect): { text: string; next: number } {
  let n = first;
  const { table, mode } = put;
  const single = isSingle(put);
  const list = table.columns
    .map(({ kind }, i) => (single ? `$${n++}${typeOf(kind)}` : `(e.r ->> ${i})${typeOf(kind)}`))
    .join(", ");
  const source = single ? gate : `jsonb_array_elements($${n++}::jsonb) AS e (r), ${gate}`;
  return {
    text: `INSERT INTO ${dialect.table(table.name)} (${columnsOf(table.columns.map((column) => column.field))}) SELECT ${list} FROM ${source}${conflictText(table, mode, dialect)}`,
    next: n,
  };
}

/** Assignments and key conditions of one table, with typed values so that the statement can be prepared. */
function typed(table: Table<object>, field: string, n: number): string {
  const column = table.columns[table.places.get(field)!]!;
  return `${quote(column.name)} = $${n}${typeOf(column.kind)}`;
}

function updateText(update: Update, first: number, gate: Gate, dialect: Dialect): { text: string; next: number } {
  let n = first;
  const { table } = update;
  const sets = Object.keys(update.fields).map((field) => typed(table, field, n++));
  const single = update.anyOf === undefined ? table.key : table.key.slice(0, -1);
  const keys = single.map((field) => typed(table, field, n++));
  if (update.anyOf !== undefined) keys.push(dialect.oneOf(quote(columnName(table.key.at(-1)!)), n++));
  return {
    text: `UPDATE ${dialect.table(table.name)} SET ${sets.join(", ")} WHERE ${keys.join(" AND ")} AND EXISTS (SELECT FROM ${gate})`,
    next: n,
  };
}

/** Rows by their keys, given as one array. */
function dropText({ table }: Drop, n: number, gate: Gate, dialect: Dialect): string {
  const keys = table.key
    .map((field, i) => {
      const column = table.columns[table.places.get(field)!]!;
      return `gone.${quote(column.name)} = (e.r ->> ${i})${typeOf(column.kind)}`;
    })
    .join(" AND ");
  return `DELETE FROM ${dialect.table(table.name)} AS gone USING jsonb_array_elements($${n}::jsonb) AS e (r), ${gate} WHERE ${keys}`;
}

function whenText(when: When, dialect: Dialect): { text: string; next: number } {
  const plain = updateText({ table: when.table, key: when.key, fields: when.fields }, 1, "t", dialect);
  let n = plain.next;
  const conditions = when.conditions
    .map(({ field, is }) => ` AND ${typed(when.table, field, n++).replace(" = ", ` ${is} `)}`)
    .join("");
  return {
    text: `${plain.text}${conditions} RETURNING ${dialect.read(quote(columnName(when.returning)), true)}`,
    next: n,
  };
}

/**
 * One statement: a limit for its own waiting, then the conditional change, and everything else only where that held.
 * The
 * limit is the statement's alone: neither a pool that belongs to others nor a pooler between sees anything of it.
 */
function writeText(write: Write, dialect: Dialect, channel: string, busyMs: number): string {
  const parts = [`t AS MATERIALIZED (SELECT set_config('lock_timeout', '${busyMs}', true))`];
  let n = 1;
  const dependent = write.when !== undefined;
  const gate: Gate = dependent ? "g" : "t";
  if (write.when !== undefined) {
    const { text, next } = whenText(write.when, dialect);
    parts.push(`g AS (${text})`);
    n = next;
  }
  for (const put of write.puts) {
    const { text, next } = putText(put, n, gate, dialect);
    parts.push(`p${parts.length} AS (${text})`);
    n = next;
  }
  for (const set of write.sets) {
    const { text, next } = updateText(set, n, gate, dialect);
    parts.push(`u${parts.length} AS (${text})`);
    n = next;
  }
  for (const drop of write.drops ?? []) parts.push(`d${parts.length} AS (${dropText(drop, n++, gate, dialect)})`);
  const columns = [write.when === undefined ? "1" : quote(columnName(write.when.returning))];
  // Sent by the server when the transaction lands, and not at all when it does not.
  if (write.notify !== undefined) columns.push(`pg_notify('${channel}', $${n}::text)`);
  return `WITH ${parts.join(", ")} SELECT ${columns.join(", ")} FROM ${gate}`;
}

function writeValues({ when, puts, sets, drops, notify }: Write): SqlValue[] {
  const values: SqlValue[] = [];
  if (when !== undefined)
    values.push(...Object.values(when.fields), ...when.key, ...when.conditions.map(({ value }) => value));
  for (const put of puts) {
    if (isSingle(put)) values.push(...put.rows[0]!);
    else values.push(JSON.stringify(distinct(put)));
  }
  for (const set of sets) {
    values.push(...Object.values(set.fields), ...set.key);
    if (set.anyOf !== undefined) values.push(JSON.stringify(set.anyOf));
  }
  for (const { table, rows } of drops ?? [])
    values.push(JSON.stringify(rows.map((row) => table.key.map((field) => row[table.places.get(field)!]))));
  if (notify !== undefined) values.push(JSON.stringify([notify.tenant, notify.contextId]));
  return values;
}

/** The last row of each key: one statement may touch a row once. */
function distinct({ table, mode, rows }: Put): Put["rows"] {
  if (rows.length < 2 || mode === "insert") return rows;
  const places = table.key.map((field) => table.places.get(field)!);
  return [...new Map(rows.map((row) => [JSON.stringify(places.map((place) => row[place])), row])).values()];
}

/** The row that a write with `when` gives back. */
export function writeResult(write: Write, rows: unknown[][]): Rows[] {
  return [write.when === undefined ? [] : rows.map(([returned]) => [returned as number])];
}
