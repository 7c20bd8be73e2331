import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { HebraError, type JsonObject, type JsonValue } from "@hebra/core";
import { indexedTables, type MetRow, type RowReader } from "./index-tables.ts";
import { eachLine, parseRow } from "./json-lines.ts";
import type { TableSource } from "./tables.ts";

/** Offset and length of a line, or the place of a row in an array. */
type Place = readonly [number, number] | number;

/** Tables as files of a folder: `<table>.jsonl`, or `<table>.json` with one array, which is held in memory. */
export function jsonTables(folder: string): TableSource {
  return { name: "jsonl", open: (shape) => indexedTables(shape, reader(folder)) };
}

function reader(folder: string): RowReader<Place> {
  const arrays = new Map<string, JsonValue[]>();
  const fileOf = (table: string, ending: string) => join(folder, `${table}.${ending}`);
  return {
    async scan(table, visit) {
      const path = fileOf(table, "jsonl");
      if (existsSync(path))
        return eachLine(path, ({ text, offset, length, line, utf8 }) =>
          visit({ row: parseRow(text), place: [offset, length], number: line, utf8 }),
        );
      const array = fileOf(table, "json");
      return existsSync(array) ? scanArray(array, (rows) => void arrays.set(table, rows), visit) : undefined;
    },
    async read(table, places) {
      const rows = arrays.get(table);
      if (rows !== undefined) return places.map((place) => rows[place as number] as JsonObject);
      return readLines(fileOf(table, "jsonl"), table, places as readonly (readonly [number, number])[]);
    },
    mark: async (tables) => {
      const marks = tables.flatMap((table) => [markOf(fileOf(table, "jsonl")), markOf(fileOf(table, "json"))]);
      return (await Promise.all(marks)).join("; ");
    },
  };
}

async function scanArray(path: string, keep: (rows: JsonValue[]) => void, visit: (met: MetRow<Place>) => void) {
  const text = await readFile(path, "utf8");
  let rows: unknown;
  try {
    rows = JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text);
  } catch (error) {
    throw new HebraError("SOURCE_INVALID", `${path} is not JSON.`, { cause: error, details: { path } });
  }
  if (!Array.isArray(rows))
    throw new HebraError("SOURCE_INVALID", `${path} holds no JSON array.`, { details: { path } });
  keep(rows as JsonValue[]);
  for (const [place, row] of (rows as JsonValue[]).entries()) {
    const isRow = typeof row === "object" && row !== null && !Array.isArray(row);
    visit({ row: isRow ? row : undefined, place, number: place + 1, utf8: true });
  }
  return createHash("sha256").update(text).digest("hex");
}

async function readLines(path: string, table: string, places: readonly (readonly [number, number])[]) {
  const file = await open(path);
  try {
    const rows: JsonObject[] = [];
    for (const [offset, length] of places) {
      const bytes = Buffer.alloc(length);
      await file.read(bytes, 0, length, offset);
      const row = parseRow(bytes.toString("utf8"));
      if (row === undefined)
        throw new HebraError(
          "SOURCE_INVALID",
          `The rows of ${table} changed while they were read. Let the export end first, and make a new plan.`,
          { details: { table } },
        );
      rows.push(row);
    }
    return rows;
  } finally {
    await file.close();
  }
}

const markOf = (path: string): Promise<string> =>
  stat(path).then(
    ({ size, mtimeMs, ino }) => `${size} ${mtimeMs} ${ino}`,
    () => "absent",
  );
