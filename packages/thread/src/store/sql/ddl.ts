import { HebraError } from "@hebra/core";
import { schemaOfRows, type Access, type Column, type Table } from "../table.ts";
import { columnsOf, where } from "./text.ts";

/** How a database declares columns and names. */
export interface DdlDialect {
  text: string;
  integer: string;
  /** The table's full name. */
  table(name: string): string;
  /** The full name of an index, to drop it. */
  index(name: string): string;
  /** What follows the parentheses of a table. */
  suffix: string;
  /** Sets how full the pages of a table get, where the database can do that. */
  fill?(table: string, percent: number): string;
}

/**
 * The schema version of this build. It is higher than the version on rows where migrations changed only indexes, of
 * which rows know nothing.
 */
export const SCHEMA_VERSION = 2;

/** One numbered change of the schema. Changes only add, so that the version before can go on beside it. */
export interface Migration {
  version: number;
  /** The oldest schema version whose builds can work with the result. */
  compatibleFrom: number;
  statements: readonly string[];
}

const declare = (column: Column, dialect: DdlDialect) =>
  `"${column.name}" ${column.kind === "int" || column.kind === "bool" ? dialect.integer : dialect.text}${column.nullable ? "" : " NOT NULL"}`;

/**
 * Each migration makes the tables that came with its version, and adds the columns and indexes that came with it to
 * those
 * that are there. Versions that follow each other work side by side.
 */
export function migrationsFor(
  tables: readonly Table<object>[],
  dialect: DdlDialect,
  newest: number = SCHEMA_VERSION,
): Migration[] {
  return Array.from({ length: newest }, (_, i) => {
    const version = i + 1;
    const statements = tables.flatMap((table) => [
      ...(schemaOfRows(table.since) === version ? [create(table, dialect)] : extend(table, version, dialect)),
      ...indexes(table, version, dialect),
      ...dropped(table, version, dialect),
      ...filled(table, version, dialect),
    ]);
    return { version, compatibleFrom: Math.max(1, version - 1), statements };
  });
}

function create(table: Table<object>, dialect: DdlDialect): string {
  const columns = table.columns
    .filter((column) => column.since === table.since)
    .map((column) => declare(column, dialect));
  return `CREATE TABLE ${dialect.table(table.name)} (${columns.join(", ")}, PRIMARY KEY (${columnsOf(table.key)}))${dialect.suffix}`;
}

function extend(table: Table<object>, version: number, dialect: DdlDialect): string[] {
  return table.columns
    .filter((column) => schemaOfRows(column.since) === version)
    .map((column) => `ALTER TABLE ${dialect.table(table.name)} ADD COLUMN ${declare(column, dialect)}`);
}

const indexName = (table: Table<object>, access: Access) =>
  `${table.name}_${(access.indexed?.name ?? access.name).replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;

function indexes(table: Table<object>, version: number, dialect: DdlDialect): string[] {
  return [...Object.values(table.accesses), ...table.retired]
    .filter((access) => access.index && access.since === version)
    .map(
      (access) =>
        `CREATE ${access.unique ? "UNIQUE " : ""}INDEX "${indexName(table, access)}" ON ${dialect.table(table.name)} (${columnsOf(access.indexed?.fields ?? [...access.by, ...access.order])})${where(access)}`,
    );
}

/** The version before works without an index, if more slowly. */
function dropped(table: Table<object>, version: number, dialect: DdlDialect): string[] {
  return table.retired
    .filter(({ until }) => until === version)
    .map((access) => `DROP INDEX IF EXISTS ${dialect.index(indexName(table, access))}`);
}

function filled({ name, fill }: Table<object>, version: number, dialect: DdlDialect): string[] {
  return fill?.since === version && dialect.fill !== undefined ? [dialect.fill(dialect.table(name), fill.percent)] : [];
}

/** What a database says of its own schema. */
export interface SchemaFound {
  version: number;
  compatibleFrom: number;
}

/** @throws HebraError `SCHEMA_TOO_NEW` when builds as old as this one cannot work with it */
export function checkSchema(found: SchemaFound, known: number): void {
  if (found.version <= known || found.compatibleFrom <= known) return;
  throw new HebraError(
    "SCHEMA_TOO_NEW",
    `The database is at schema version ${found.version}, which needs a build that knows ${found.compatibleFrom}; this one knows ${known}. Upgrade this process.`,
    {
      details: { found: found.version, known },
    },
  );
}
