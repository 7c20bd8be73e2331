import { assertId, assertJson, HebraError, type JsonValue } from "@hebra/core";
import { ROW_VERSION } from "./rows.ts";
import type { Column, Table, Value } from "./table.ts";
import { upcast } from "./upcast.ts";

/**
 * A row as the database keeps it, in the order of the table's columns. Everything is checked here, before any write,
 * and
 * everything is copied: what comes out shares nothing with what went in.
 *
 * @throws HebraError `INVALID_ID`, `NOT_SERIALIZABLE`, `SCHEMA_TOO_NEW`
 */
export function encode<R extends object>(table: Table<R>, tenant: string, row: R): Value[] {
  const values = new Array<Value>(table.columns.length);
  values[0] = tenant;
  for (let i = 1; i < table.columns.length; i++) {
    const column = table.columns[i]!;
    values[i] = encodeValue(table, column, (row as Record<string, unknown>)[column.field]);
  }
  return values;
}

/** One column's value as the database keeps it. */
export function encodeField<R extends object, F extends keyof R & string>(
  table: Table<R>,
  field: F,
  value: R[F],
): Value {
  return encodeValue(table, columnOf(table, field), value);
}

/** The column of a field. */
export function columnOf<R>(table: Table<R>, field: string): Column {
  const column = table.columns[table.places.get(field) ?? -1];
  if (column === undefined) throw new HebraError("INTERNAL", `The table ${table.name} has no column for ${field}.`);
  return column;
}

/**
 * The row that was kept, as one of this build's version.
 *
 * @param whole - refuse a row of the next version too, as a part of it would be missing
 * @throws HebraError `SCHEMA_TOO_NEW` for a row of a version after the next
 */
export function decode<R extends object>(table: Table<R>, values: readonly Value[], whole = false): R {
  const row: Record<string, JsonValue> = {};
  for (let i = 1; i < table.columns.length; i++) {
    const column = table.columns[i]!;
    row[column.field] = decodeValue(column, values[i] ?? null);
  }
  const version = row["v"] as number;
  if (version === ROW_VERSION) return row as R;
  // Versions only add to the one before, so what is known here means what it always did.
  if (version === ROW_VERSION + 1 && !whole) return { ...row, v: ROW_VERSION } as R;
  const current = upcast(table.name, row);
  // An older build may have written over a row of this one: what only this one knows is still there, and counts.
  for (const { field, since } of table.columns)
    if (field !== "v" && since > version && row[field] !== null) current[field] = row[field]!;
  return current as R;
}

/** A kept row without the columns that only stores see. */
export function visible<R extends object, S extends R>(table: Table<S>, row: S): R {
  for (const column of table.columns) if (column.hidden) delete (row as Record<string, unknown>)[column.field];
  return row;
}

function decodeValue(column: Column, value: Value): JsonValue {
  if (value === null) return null;
  if (column.kind === "json") return JSON.parse(value as string) as JsonValue;
  if (column.kind === "bool") return value === 1;
  return value;
}

function encodeValue<R>(table: Table<R>, column: Column, value: unknown): Value {
  if (value === null || value === undefined) {
    if (column.nullable) return null;
    return refuse(table, column, `is ${value === null ? "null" : "missing"}`);
  }
  switch (column.kind) {
    case "id":
      assertId(value, `${column.field} of a row of ${table.name}`);
      return value;
    case "text":
      return encodeText(table, column, value);
    case "int":
      if (!Number.isSafeInteger(value))
        return refuse(table, column, "is not an integer between -(2^53 - 1) and 2^53 - 1");
      if (column.field === "v" && (value as number) > ROW_VERSION) return tooNew(table.name, value as number);
      return value as number;
    case "bool":
      if (typeof value !== "boolean") return refuse(table, column, "is not a boolean");
      return value ? 1 : 0;
    case "json":
      assertJson(value, `${table.name}.${column.name}`);
      return JSON.stringify(value);
  }
}

function encodeText<R>(table: Table<R>, column: Column, value: unknown): string {
  if (typeof value !== "string") return refuse(table, column, "is not a string");
  if (value.includes("\u0000") || !value.isWellFormed())
    return refuse(table, column, "holds U+0000 or a lone surrogate");
  if (column.among !== undefined && !column.among.has(value))
    return refuse(table, column, `is \`${value}\`, which is none of ${[...column.among].join(", ")}`);
  return value;
}

function refuse<R>(table: Table<R>, column: Column, what: string): never {
  throw new HebraError("NOT_SERIALIZABLE", `${column.field} of a row of ${table.name} ${what}.`, {
    details: { table: table.name, field: column.field },
  });
}

function tooNew(table: string, version: number): never {
  throw new HebraError(
    "SCHEMA_TOO_NEW",
    `A row of ${table} has version ${version}; this build writes up to ${ROW_VERSION}. Upgrade this process.`,
    {
      details: { table, version, known: ROW_VERSION },
    },
  );
}
