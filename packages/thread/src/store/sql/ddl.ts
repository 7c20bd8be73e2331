import { HebraError } from "@hebra/core";
import type { Column, Table } from "../table.ts";
import { columnsOf, where } from "./text.ts";

/** How a database declares columns and names. */
export interface DdlDialect {
  text: string;
  integer: string;
  /** The table's full name. */
  table(name: string): string;
  /** What follows the parentheses of a table. */
  suffix: string;
}

/** One numbered change of the schema. Changes only add, so that the version before can go on beside it. */
export interface Migration {
  version: number;
  /** The oldest schema version whose builds can work with the result. */
  compatibleFrom: number;
  statements: readonly string[];
}

const declare = (column: Column, dialect: DdlDialect) =>
  `"${column.name}" ${column.kind === "int" || column.kind === "bool" ? dialect.integer : dialect.text}${column.nullable ? "" : " NOT NULL"}`;

/** The first migration makes every table with its indexes; each later one adds the columns that came with it. */
export function migrationsFor(tables: readonly Table<object>[], dialect: DdlDialect): Migration[] {
  const newest = Math.max(1, ...tables.flatMap((table) => table.columns.map((column) => column.since)));
  return Array.from({ length: newest }, (_, i) => {
    const version = i + 1;
    const statements = tables.flatMap((table) => (version === 1 ? create(table, dialect) : extend(table, version, dialect)));
    return { version, compatibleFrom: 1, statements };
  });
}

function create(table: Table<object>, dialect: DdlDialect): string[] {
  const columns = table.columns.filter((column) => column.since === 1).map((column) => declare(column, dialect));
  const statements = [`CREATE TABLE ${dialect.table(table.name)} (${columns.join(", ")}, PRIMARY KEY (${columnsOf(table.key)}))${dialect.suffix}`];
  for (const access of Object.values(table.accesses)) {
    if (!access.index) continue;
    const name = `${table.name}_${access.name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    statements.push(`CREATE ${access.unique ? "UNIQUE " : ""}INDEX "${name}" ON ${dialect.table(table.name)} (${columnsOf([...access.by, ...access.order])})${where(access)}`);
  }
  return statements;
}

function extend(table: Table<object>, version: number, dialect: DdlDialect): string[] {
  return table.columns.filter((column) => column.since === version).map((column) => `ALTER TABLE ${dialect.table(table.name)} ADD COLUMN ${declare(column, dialect)}`);
}

/** What a database says of its own schema. */
export interface SchemaFound {
  version: number;
  compatibleFrom: number;
}

/** @throws HebraError `SCHEMA_TOO_NEW` when builds as old as this one cannot work with it */
export function checkSchema(found: SchemaFound, known: number): void {
  if (found.version <= known || found.compatibleFrom <= known) return;
  throw new HebraError("SCHEMA_TOO_NEW", `The database is at schema version ${found.version}, which needs a build that knows ${found.compatibleFrom}; this one knows ${known}. Upgrade this process.`, {
    details: { found: found.version, known },
  });
}
