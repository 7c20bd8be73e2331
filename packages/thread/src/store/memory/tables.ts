import { HebraError } from "@hebra/core";
import type { Access, Only, Table, Value } from "../table.ts";
import { tables } from "../tables.ts";
import type { Put, Rows, When, Write } from "../verbs/op.ts";
import type { PlainFind } from "../verbs/resolve.ts";

type Row = readonly Value[];

interface Index {
  access: Access;
  by: number[];
  order: number[];
  /** Rows by the values of `by`, each list in the order of `order`. */
  lists: Map<string, Row[]>;
}

interface Kept {
  table: Table<object>;
  key: number[];
  rows: Map<string, Row>;
  indexes: Map<string, Index>;
}

/**
 * Tables in memory, each with the same ways of access as in a database. Not atomic by themselves: `undo` takes writes
 * back.
 */
export interface MemoryTables {
  find(find: PlainFind): Rows;
  write(change: Write, undo: (() => void)[]): Rows;
}

export function createMemoryTables(): MemoryTables {
  const kept = new Map(Object.values(tables).map((table) => [table.name, keep(table as Table<object>)]));
  const of = (table: Table<object>): Kept => kept.get(table.name)!;
  return {
    find: (find) => findRows(of(find.table), find),
    write({ when, puts, sets, drops = [] }, undo) {
      let written: Rows = [];
      if (when !== undefined) {
        const into = of(when.table);
        const row = into.rows.get(JSON.stringify(when.key));
        if (row === undefined || !met(into, row, when)) return [];
        written = [[change(into, row, when.fields, undo)[into.table.places.get(when.returning)!]!]];
      }
      for (const put of puts) for (const row of put.rows) putRow(of(put.table), row, put.mode, undo);
      for (const { table, key, anyOf, fields } of sets) {
        const into = of(table);
        for (const one of anyOf === undefined ? [key] : anyOf.map((last) => [...key, last])) {
          const row = into.rows.get(JSON.stringify(one));
          if (row !== undefined) change(into, row, fields, undo);
        }
      }
      for (const { table, rows } of drops) {
        const from = of(table);
        for (const given of rows) {
          const row = from.rows.get(keyOf(from.key, given));
          if (row !== undefined) store(from, row, undefined, undo);
        }
      }
      return written;
    },
  };
}

function met(into: Kept, row: Row, { conditions }: When): boolean {
  return conditions.every(({ field, is, value }) => {
    const kept = row[into.table.places.get(field)!]!;
    if (is === "=") return kept === value;
    return is === "<>" ? kept !== value : kept !== null && value !== null && kept <= value;
  });
}

function change(into: Kept, old: Row, fields: Readonly<Record<string, Value>>, undo: (() => void)[]): Row {
  const row = [...old];
  for (const [field, value] of Object.entries(fields)) row[into.table.places.get(field)!] = value;
  store(into, old, row, undo);
  return row;
}

function keep(table: Table<object>): Kept {
  const places = (fields: readonly string[]) => fields.map((field) => table.places.get(field)!);
  const indexes = new Map<string, Index>();
  for (const access of Object.values(table.accesses)) {
    if (access.name !== "key")
      indexes.set(access.name, { access, by: places(access.by), order: places(access.order), lists: new Map() });
  }
  return { table, key: places(table.key), rows: new Map(), indexes };
}

function keyOf(places: readonly number[], row: Row): string {
  return JSON.stringify(places.map((place) => row[place]));
}

function putRow(into: Kept, given: Row, mode: Put["mode"], undo: (() => void)[]): void {
  const old = into.rows.get(keyOf(into.key, given));
  if (old === undefined) return store(into, undefined, given, undo);
  if (mode === "insert")
    throw taken(
      into.table,
      into.key.map((place) => given[place]!),
    );
  if (mode === "replace") return store(into, old, given, undo);
  const { until } = into.table;
  if (until !== undefined && old[into.table.places.get(until.field)!] !== until.is) return;
  store(
    into,
    old,
    given.map((value, i) => (into.table.columns[i]!.keep ? old[i]! : value)),
    undo,
  );
}

function taken(table: Table<object>, key: readonly Value[]): HebraError {
  return new HebraError("VERSION_CONFLICT", `A row of ${table.name} is there already: ${key.slice(1).join(", ")}.`, {
    details: { table: table.name },
  });
}

function store(into: Kept, old: Row | undefined, row: Row | undefined, undo: (() => void)[]): void {
  if (row !== undefined) for (const index of into.indexes.values()) checkUnique(into, index, old, row);
  swap(into, old, row);
  undo.push(() => swap(into, row, old));
}

function swap(into: Kept, old: Row | undefined, row: Row | undefined): void {
  for (const index of into.indexes.values()) {
    if (old !== undefined) removeFrom(into, index, old);
    if (row !== undefined) addTo(into, index, row);
  }
  if (row !== undefined) into.rows.set(keyOf(into.key, row), row);
  else into.rows.delete(keyOf(into.key, old!));
}

function holds(into: Kept, only: Only, row: Row): boolean {
  const value = row[into.table.places.get(only.field)!]!;
  if ("in" in only) return only.in.includes(value as string);
  return "not" in only ? value !== only.not : value !== null;
}

function covers(into: Kept, index: Index, row: Row): boolean {
  return index.access.only.every((only) => holds(into, only, row));
}

function checkUnique(into: Kept, index: Index, old: Row | undefined, row: Row): void {
  if (!index.access.unique || !covers(into, index, row)) return;
  const list = index.lists.get(keyOf(index.by, row)) ?? [];
  const at = place(
    index,
    list,
    index.order.map((i) => row[i]!),
    false,
  );
  const found = list[at];
  if (
    found === undefined ||
    found === old ||
    compare(
      index.order.map((i) => found[i]!),
      index.order.map((i) => row[i]!),
    ) !== 0
  )
    return;
  throw taken(
    into.table,
    [...index.by, ...index.order].map((i) => row[i]!),
  );
}

function addTo(into: Kept, index: Index, row: Row): void {
  if (!covers(into, index, row)) return;
  const key = keyOf(index.by, row);
  let list = index.lists.get(key);
  if (list === undefined) index.lists.set(key, (list = []));
  list.splice(
    place(
      index,
      list,
      index.order.map((i) => row[i]!),
      true,
    ),
    0,
    row,
  );
}

function removeFrom(into: Kept, index: Index, row: Row): void {
  if (!covers(into, index, row)) return;
  const key = keyOf(index.by, row);
  const list = index.lists.get(key)!;
  const at = list.indexOf(
    row,
    place(
      index,
      list,
      index.order.map((i) => row[i]!),
      false,
    ),
  );
  if (at !== -1) list.splice(at, 1);
  if (list.length === 0) index.lists.delete(key);
}

/**
 * Where values of the order stand in a list: before the first row that is not less, or, `after`, before the first that
 * is greater.
 */
function place(index: Index, list: readonly Row[], values: readonly Value[], after: boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compare(
      index.order.slice(0, values.length).map((i) => list[middle]![i]!),
      values,
    );
    if (order < 0 || (after && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Nulls last, as far as order matters; strings by UTF-16 code units. */
function compare(a: readonly Value[], b: readonly Value[]): number {
  for (let i = 0; i < a.length; i++) {
    const left = a[i]!;
    const right = b[i]!;
    if (left === right) continue;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -1 : 1;
  }
  return 0;
}

function findRows(into: Kept, op: PlainFind): Rows {
  const keys = op.anyOf === undefined ? [op.values] : [...new Set(op.anyOf)].map((value) => [...op.values, value]);
  if (op.access === "key")
    return keys.map((key) => into.rows.get(JSON.stringify(key))).filter((row) => row !== undefined);
  const index = into.indexes.get(op.access)!;
  const rows = keys.flatMap((key) => section(into, index, index.lists.get(JSON.stringify(key)) ?? [], op));
  return cut(rows, op.limit);
}

function section(into: Kept, index: Index, list: readonly Row[], op: PlainFind): readonly Row[] {
  let from = 0;
  let to = list.length;
  if (op.range !== undefined) {
    const at = place(index, list, op.range.values, op.range.is !== "<");
    if (op.range.is === ">") from = at;
    else to = at;
    // A range says nothing of rows without a value, as in SQL.
    while (op.range.is !== ">" && to > from && list[to - 1]![index.order[0]!] === null) to--;
  }
  const { prefix } = op;
  if (prefix !== undefined) {
    const at = into.table.places.get(prefix.field)!;
    const matching = list.slice(from, to).filter((row) => (row[at] as string).startsWith(prefix.value));
    return cut(op.descending === true ? matching.reverse() : matching, op.limit);
  }
  const { limit } = op;
  if (op.descending === true) return list.slice(limit === undefined ? from : Math.max(from, to - limit), to).reverse();
  return cut(list.slice(from, limit === undefined ? to : Math.min(to, from + limit)), limit);
}

function cut(rows: readonly Row[], limit: number | undefined): readonly Row[] {
  return limit === undefined ? rows : rows.slice(0, limit);
}
