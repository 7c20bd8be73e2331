import { digest, type JsonObject } from "@hebra/core";
import { indexedTables } from "./index-tables.ts";
import type { TableSource } from "./tables.ts";

/**
 * Tables that are in memory already, by name.
 *
 * @example
 * ```ts
 * import { memorySource } from "@hebra/migrate";
 *
 * export const source = memorySource({ conversations: [{ id: 1 }], messages: [] });
 * ```
 */
export function memorySource(tables: Readonly<Record<string, readonly JsonObject[]>>): TableSource {
  const rowsOf = (table: string) => (Object.hasOwn(tables, table) ? tables[table] : undefined);
  return {
    name: "memory",
    open: (shape) =>
      indexedTables<number>(shape, {
        scan(table, visit) {
          const rows = rowsOf(table);
          rows?.forEach((row, place) => visit({ row, place, number: place + 1, utf8: true }));
          return Promise.resolve(rows && markOf(rows));
        },
        read: (table, places) => Promise.resolve(places.map((place) => rowsOf(table)![place]!)),
        mark: (names) => Promise.resolve(names.map((name) => markOf(rowsOf(name) ?? [])).join()),
      }),
  };
}

/** Rows may hold what canonical JSON refuses; their text tells them apart all the same. */
const markOf = (rows: readonly JsonObject[]): string => digest(JSON.stringify(rows).toWellFormed());
