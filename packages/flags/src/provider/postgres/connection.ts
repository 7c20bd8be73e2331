import { postgresTable, tableShape, type PostgresTable } from "./table.ts";

/** The part of a `pg` client that flags use. */
export interface FlagsPostgresClient {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  on(event: "notification" | "error" | "end", listener: () => void): unknown;
  release(broken?: boolean): void;
}

/** The part of a `pg` pool that flags use. */
export interface FlagsPostgresPool {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  connect(): Promise<FlagsPostgresClient>;
  end(): Promise<void>;
}

/** Where flags are in PostgreSQL: a pool, which stays the host's to end, or a connection string. */
export interface PostgresFlagsOptions {
  readonly pool?: FlagsPostgresPool;
  readonly connectionString?: string;
  /** Schema of the table; made when it does not exist. @defaultValue "hebra" */
  readonly schema?: string;
}

/** The options as a schema's shape. */
export const postgresShape = tableShape<FlagsPostgresPool>("connect");

/** The table of flag documents. */
export interface FlagTable extends PostgresTable<FlagsPostgresPool> {
  readonly table: string;
  /** The channel of changes. */
  readonly channel: string;
}

/** @throws HebraError `PEER_MISSING` when pg is not installed and no pool was passed */
export function flagTable({
  pool,
  connectionString,
  schema,
  create,
}: {
  readonly pool?: FlagsPostgresPool | undefined;
  readonly connectionString?: string | undefined;
  readonly schema: string;
  /** Whether to make the table when it does not exist: readers need no right to. */
  readonly create: boolean;
}): FlagTable {
  const table = `${schema}.flag_documents`;
  const statements = [
    `create schema if not exists ${schema}`,
    `create table if not exists ${table} (name text primary key, revision bigint not null, document text not null)`,
  ];
  return {
    table,
    channel: `${schema}_flags_changed`,
    ...postgresTable({ pool, connectionString, statements: create ? statements : [], what: "the flags" }),
  };
}
