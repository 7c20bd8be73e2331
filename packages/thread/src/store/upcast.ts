import { HebraError, type JsonValue } from "@hebra/core";
import { ROW_VERSION } from "./rows.ts";

/** A row as read, by field. */
export type PlainRow = Record<string, JsonValue>;

/**
 * Turns a row of one version into one of the next, without looking at other rows. It only fills in what is missing: an
 * older
 * build that has written over a row leaves there what it does not know.
 */
export type Upcaster = (row: PlainRow) => PlainRow;

/** For each table, how to read each older version: the function under `n` makes version `n + 1`. */
export type Upcasters = Readonly<Record<string, Readonly<Record<number, Upcaster>>>>;

/**
 * The upcasters of this build. Version 1 is the first, so there is none yet; the first to come goes under its table and
 * `1`.
 */
export const upcasters: Upcasters = {};

/**
 * Brings a row to a version, one version at a time. A version without an upcaster changed nothing in that table.
 *
 * @throws HebraError `SCHEMA_TOO_NEW` for a row that is newer than that
 */
export function upcast(
  table: string,
  row: PlainRow,
  known: Upcasters = upcasters,
  version: number = ROW_VERSION,
): PlainRow {
  const from = row["v"];
  if (typeof from !== "number" || from > version) {
    throw new HebraError(
      "SCHEMA_TOO_NEW",
      `A row of ${table} has version ${String(from)}; this build reads up to ${version}. Upgrade this process.`,
      {
        details: { table, version: from ?? null, known: version },
      },
    );
  }
  let current = row;
  for (let v = from; v < version; v++) current = { ...(known[table]?.[v]?.(current) ?? current), v: v + 1 };
  return current;
}
