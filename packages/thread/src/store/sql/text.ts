import { HebraError } from "@hebra/core";
import { columnOf } from "../codec.ts";
import { columnName, type Access, type Column, type Only, type Table } from "../table.ts";
import type { Find, Put, Ref, When } from "../verbs/op.ts";
import type { PlainFind } from "../verbs/resolve.ts";

/** Where two databases differ in what is written here. */
export interface Dialect {
  /** The nth value, from 1. */
  placeholder(n: number): string;
  /** "One of the values in this JSON array of strings", with the array as the nth value. */
  oneOf(column: string, n: number): string;
  /**
   * The elements of the nth value, a JSON array of strings without duplicates, as a list of rows: each is then looked
   * up by itself. Left out where `oneOf` does that.
   */
  each?(n: number): string;
  /** How a column is read, for those that a driver would return as something else. */
  read(column: string, integer: boolean): string;
  /** The table's full name. */
  table(name: string): string;
  /** The function that gives the greater of two numbers. */
  greatest: string;
  /** After a select whose rows others must not write meanwhile. */
  lock: string;
}

const quote = (name: string) => `"${name}"`;
export const columnsOf = (fields: readonly string[]): string =>
  fields.map((field) => quote(columnName(field))).join(", ");

/** Literals here are our own names of states and kinds, never a caller's. */
const literal = (text: string) => `'${text}'`;

function only(condition: Only): string {
  const column = quote(columnName(condition.field));
  if ("in" in condition)
    return condition.in.length === 1
      ? `${column} = ${literal(condition.in[0]!)}`
      : `${column} IN (${condition.in.map(literal).join(", ")})`;
  return "not" in condition ? `${column} <> ${literal(condition.not)}` : `${column} IS NOT NULL`;
}

/** The condition of a partial index, or nothing. */
export function where(access: Access): string {
  return access.only.length === 0 ? "" : ` WHERE ${access.only.map(only).join(" AND ")}`;
}

export function accessOf(op: Find): Access {
  const access = op.table.accesses[op.access];
  if (access === undefined) throw new HebraError("INTERNAL", `The table ${op.table.name} has no access ${op.access}.`);
  return access;
}

/** What makes two finds the same statement. */
export function findShape(op: Find): string {
  const range = op.range === undefined ? "" : op.range.is + op.range.values.length;
  return `${op.table.name}|${op.access}|${op.anyOf === undefined ? "" : "in"}|${range}|${op.prefix?.field ?? ""}|${op.descending === true ? "d" : ""}|${op.limit === undefined ? "" : "l"}|${op.lock === true ? "k" : ""}`;
}

/** The values of a find, in the order of {@link selectText}'s placeholders. */
export function findValues(op: PlainFind): (string | number | null)[] {
  const values = [...op.values];
  if (op.anyOf !== undefined) values.push(JSON.stringify(op.anyOf));
  if (op.range !== undefined) values.push(...op.range.values);
  if (op.prefix !== undefined) values.push(op.prefix.value);
  if (op.limit !== undefined) values.push(op.limit);
  return values;
}

/** How a value that another find gives is written, where the database can do that. */
export type RefText = (ref: Ref) => string;

/**
 * A find as SQL: named columns in the table's order.
 *
 * @param count - how many placeholders there are before it; counts on
 */
export function selectText(op: Find, dialect: Dialect, count: { n: number } = { n: 0 }, refText?: RefText): string {
  const access = accessOf(op);
  const mark = () => dialect.placeholder(++count.n);
  // The list comes first in the text, its values after those of `by`: the numbers of placeholders follow the values.
  let list: string | undefined;
  const conditions = access.by.map((field, i) => {
    const column = quote(columnName(field));
    const value = op.values[i];
    if (op.anyOf !== undefined && i === access.by.length - 1) {
      if (dialect.each === undefined)
        return "of" in op.anyOf ? `${column} IN (${refText!(op.anyOf)})` : dialect.oneOf(column, ++count.n);
      list = "of" in op.anyOf ? `(SELECT DISTINCT * FROM (${refText!(op.anyOf)}) AS r)` : dialect.each(++count.n);
      return `${column} = one.key`;
    }
    return typeof value === "object" && value !== null ? `${column} = (${refText!(value)})` : `${column} = ${mark()}`;
  });
  conditions.push(...access.only.map(only));
  if (op.range !== undefined) {
    const names = columnsOf(access.order.slice(0, op.range.values.length));
    conditions.push(`(${names}) ${op.range.is} (${op.range.values.map(mark).join(", ")})`);
  }
  if (op.prefix !== undefined) {
    const prefix = mark();
    conditions.push(`substr(${quote(columnName(op.prefix.field))}, 1, length(CAST(${prefix} AS TEXT))) = ${prefix}`);
  }
  // The table's own columns: a bare name would mean the column as it is read, of which there is no index.
  // Rows of a partition come in no order of their own: asking for one could cost the planner the better index.
  const inOrder = access.index || op.range !== undefined || op.limit !== undefined;
  const order = (inOrder ? access.order : [])
    .map((field) => `${op.table.name}.${quote(columnName(field))}${op.descending === true ? " DESC" : ""}`)
    .join(", ");
  const limit = op.limit === undefined ? "" : ` LIMIT ${mark()}`;
  const select = [
    `SELECT ${readList(op.table, dialect)} FROM ${dialect.table(op.table.name)}`,
    conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`,
    order === "" ? "" : ` ORDER BY ${order}`,
  ].join("");
  const lock = op.lock === true ? dialect.lock : "";
  // The offset keeps the planner from joining the table with the list in some other way than key by key, which it would
  // do, and go on doing, with a plan made while the table was small.
  return list === undefined
    ? `${select}${limit}${lock}`
    : `SELECT found.* FROM ${list} AS one (key) CROSS JOIN LATERAL (${select} OFFSET 0${lock}) AS found${limit}`;
}

/** Every column of a table, in order, as it is read. */
export function readList(table: Table<object>, dialect: Dialect): string {
  return table.columns
    .map((column) => dialect.read(quote(column.name), column.kind === "int" || column.kind === "bool"))
    .join(", ");
}

/** What an insert does when the row is there already. */
export function conflictText(table: Table<object>, mode: Put["mode"], dialect: Dialect): string {
  if (mode === "insert") return "";
  const changed = table.columns.filter(
    (column) => !table.key.includes(column.field) && (mode === "replace" || !column.keep),
  );
  const own = (name: string) => `${dialect.table(table.name)}.${quote(name)}`;
  // A row that a newer build has written stays one of its version: what it added is still there.
  const value = ({ name, field }: Column) =>
    field === "v" ? `${dialect.greatest}(${own(name)}, excluded.${quote(name)})` : `excluded.${quote(name)}`;
  const sets = changed.map((column) => `${quote(column.name)} = ${value(column)}`).join(", ");
  const { until } = table;
  const settled =
    mode === "put" && until !== undefined
      ? ` WHERE ${own(columnOf(table, until.field).name)} = ${literal(until.is)}`
      : "";
  return ` ON CONFLICT (${columnsOf(table.key)}) DO UPDATE SET ${sets}${settled}`;
}

/** An update as SQL: the new values first, then the key. */
export function updateText(table: Table<object>, fields: readonly string[], dialect: Dialect): string {
  let n = 0;
  const sets = fields.map((field) => `${quote(columnName(field))} = ${dialect.placeholder(++n)}`).join(", ");
  const key = table.key.map((field) => `${quote(columnName(field))} = ${dialect.placeholder(++n)}`).join(" AND ");
  return `UPDATE ${dialect.table(table.name)} SET ${sets} WHERE ${key}`;
}

/** The same with conditions, whose values come last. */
export function whenText(when: When, dialect: Dialect): string {
  const fields = Object.keys(when.fields);
  let n = fields.length + when.table.key.length;
  const conditions = when.conditions
    .map(({ field, is }) => ` AND ${quote(columnName(field))} ${is} ${dialect.placeholder(++n)}`)
    .join("");
  return `${updateText(when.table, fields, dialect)}${conditions} RETURNING ${dialect.read(quote(columnName(when.returning)), true)}`;
}

/** What makes two conditional changes the same statement. */
export function whenShape(when: When): string {
  return `${when.table.name}|${when.returning}|${Object.keys(when.fields).join()}|${when.conditions.map(({ field, is }) => field + is).join()}`;
}

/** The values of {@link whenText}'s placeholders. */
export function whenValues(when: When): (string | number | null)[] {
  return [...Object.values(when.fields), ...when.key, ...when.conditions.map(({ value }) => value)];
}
