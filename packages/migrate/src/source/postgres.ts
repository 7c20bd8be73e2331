import { HebraError, loadPeer, parseOptions, type JsonObject } from "@hebra/core";
import * as z from "zod";
import { columnsOf } from "./index-tables.ts";
import type { SourceInventory } from "./source.ts";
import type { OpenTables, TableGroup, TableShape, TableSource } from "./tables.ts";

/** A connection of `pg`, or anything with its `query`. */
export interface PgConnection {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

/** Where tables in Postgres are. */
export interface PostgresSourceOptions {
  /** It may hold a password: read it from the environment. */
  connectionString: string;
  /** A query for a name that the mapping uses, instead of the table of that name: `{ messages: "select …" }`. */
  queries?: Readonly<Record<string, string>>;
  /** Conversations that are read at a time. @defaultValue 200 */
  pageSize?: number;
}

const optionsSchema = z.strictObject({
  connectionString: z.string().min(1),
  queries: z.record(z.string(), z.string().min(1)).optional(),
  pageSize: z.number().int().positive().optional(),
});

/**
 * Tables or queries of a Postgres database, read page by page by the conversations' id in one read-only snapshot each
 * time. Columns for ids need an index to be fast: the conversations' id, and the messages' conversation.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` without `pg`; `SOURCE_INVALID` when a table, a column or the
 * database cannot be read, from the first call on.
 *
 * @example
 * ```ts
 * import { defineMapping, planMigration } from "@hebra/migrate";
 * import { postgresSource } from "@hebra/migrate/postgres";
 *
 * export const planned = (mapping: ReturnType<typeof defineMapping>) =>
 *   planMigration({
 *     source: postgresSource({ connectionString: process.env["OLD_DATABASE_URL"] ?? "" }),
 *     mapping,
 *     target: { name: "sqlite" },
 *   });
 * ```
 */
export function postgresSource(options: PostgresSourceOptions): TableSource {
  const { connectionString, queries = {}, pageSize = 200 } = parseOptions("postgresSource", optionsSchema, options);
  return {
    name: "postgres",
    open: (shape) => openTables(shape, { connectionString, queries, pageSize }),
  };
}

interface Settings {
  connectionString: string;
  queries: Readonly<Record<string, string>>;
  pageSize: number;
}

function openTables(shape: TableShape, settings: Settings): OpenTables {
  const { conversations, messages, toolCalls } = shape;
  const from = (table: string): string =>
    Object.hasOwn(settings.queries, table) ? `(${settings.queries[table]})` : table.split(".").map(quoted).join(".");
  const tables = [conversations.table, messages?.table, toolCalls?.table].filter((table) => table !== undefined);
  return {
    inventory: () => inSnapshot(settings, (on) => takeInventory(on, shape, tables, from)),
    async *groups() {
      const session = await begin(settings);
      try {
        yield* pages(session.on, shape, from, settings.pageSize);
      } finally {
        await session.end();
      }
    },
  };
}

async function takeInventory(
  on: PgConnection,
  shape: TableShape,
  tables: readonly string[],
  from: (table: string) => string,
): Promise<SourceInventory> {
  const entities: SourceInventory["entities"] = [];
  for (const table of tables) {
    const [row] = await ask(
      on,
      `SELECT count(*)::text AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text AS digest FROM ${from(table)} t`,
    );
    entities.push({ entity: table, rows: Number(row!["rows"]), sha256: `rows:${String(row!["digest"])}` });
  }
  const rejects = await findRejects(on, shape, from);
  const { table, id } = shape.conversations;
  const [counted] = await ask(on, `SELECT count(DISTINCT t.${quoted(id)})::text AS groups FROM ${from(table)} t`);
  return { entities, contexts: Number(counted!["groups"]), rejects, notes: [] };
}

/** Rows that hang on nothing, and conversations without an id or with one that came before. */
async function findRejects(on: PgConnection, shape: TableShape, from: (table: string) => string) {
  const { conversations, messages, toolCalls } = shape;
  const rejects: SourceInventory["rejects"] = [];
  const add = async (
    entity: string,
    path: string,
    code: "ROW_INVALID" | "ROW_ORPHANED" | "ROW_DUPLICATE",
    sql: string,
    detail: string,
  ) => {
    for (const { id, row } of await ask(on, sql))
      rejects.push({
        entity,
        id: id === null ? null : String(id),
        code,
        path,
        detail: `${detail}${columnsOf(rowOf(row))}`,
      });
  };
  const id = quoted(conversations.id);
  const base = from(conversations.table);
  await add(
    conversations.table,
    conversations.id,
    "ROW_INVALID",
    `SELECT NULL AS id, row_to_json(t)::text AS row FROM ${base} t WHERE t.${id} IS NULL`,
    "it has no id",
  );
  await add(
    conversations.table,
    conversations.id,
    "ROW_DUPLICATE",
    `SELECT id, row FROM (SELECT t.${id}::text AS id, row_to_json(t)::text AS row, row_number() OVER (PARTITION BY t.${id} ORDER BY row_to_json(t)::text) AS n FROM ${base} t WHERE t.${id} IS NOT NULL) d WHERE n > 1`,
    "a row with this id came before",
  );
  const orphans = (table: string, own: string | undefined, link: string, parent: string, parentId: string) =>
    add(
      table,
      link,
      "ROW_ORPHANED",
      `SELECT ${own === undefined ? "NULL" : `t.${quoted(own)}::text`} AS id, row_to_json(t)::text AS row FROM ${from(table)} t WHERE NOT EXISTS (SELECT 1 FROM ${from(parent)} p WHERE p.${quoted(parentId)} = t.${quoted(link)})`,
      `${parent} has no such row`,
    );
  if (messages !== undefined)
    await orphans(messages.table, messages.id, messages.conversation, conversations.table, conversations.id);
  if (toolCalls !== undefined && messages?.id !== undefined)
    await orphans(toolCalls.table, undefined, toolCalls.message, messages.table, messages.id);
  return rejects;
}

async function* pages(
  on: PgConnection,
  shape: TableShape,
  from: (table: string) => string,
  pageSize: number,
): AsyncGenerator<TableGroup> {
  const { conversations } = shape;
  const id = quoted(conversations.id);
  const base = from(conversations.table);
  const [typed] = await ask(
    on,
    `SELECT pg_typeof(t.${id})::text AS type FROM (SELECT 1) one LEFT JOIN ${base} t ON true LIMIT 1`,
  );
  const type = String(typed!["type"]);
  let after: string | undefined;
  for (;;) {
    const rows: Record<string, unknown>[] = await ask(
      on,
      `SELECT DISTINCT ON (t.${id}) t.${id}::text AS id, row_to_json(t)::text AS row FROM ${base} t WHERE t.${id} IS NOT NULL ${after === undefined ? "" : `AND t.${id} > $1::${type}`} ORDER BY t.${id}, row_to_json(t)::text LIMIT ${pageSize}`,
      after === undefined ? [] : [after],
    );
    const groups = new Map<string, TableGroup>();
    for (const row of rows) {
      const group = { id: String(row["id"]), conversation: exact(row, conversations.id), messages: [], toolCalls: [] };
      groups.set(group.id, group);
    }
    await fill(on, groups, shape, from, type);
    yield* groups.values();
    if (rows.length < pageSize) return;
    after = String(rows.at(-1)!["id"]);
  }
}

/** Reads the messages and calls of a page of conversations. */
async function fill(
  on: PgConnection,
  groups: ReadonlyMap<string, TableGroup>,
  { messages, toolCalls }: TableShape,
  from: (table: string) => string,
  type: string,
): Promise<void> {
  if (messages === undefined || groups.size === 0) return;
  const link = `t.${quoted(messages.conversation)}`;
  const own = messages.id === undefined ? "NULL" : `t.${quoted(messages.id)}`;
  const wanted = `${link} = ANY($1::${type}[])`;
  const order = messages.id === undefined ? "row_to_json(t)::text" : own;
  const found = await ask(
    on,
    `SELECT ${link}::text AS parent, ${own}::text AS id, row_to_json(t)::text AS row FROM ${from(messages.table)} t WHERE ${wanted} ORDER BY ${order}`,
    [[...groups.keys()]],
  );
  for (const row of found) groups.get(String(row["parent"]))!.messages.push(exact(row, messages.id));
  if (toolCalls === undefined) return;
  const calls = await ask(
    on,
    `SELECT ${link}::text AS parent, t.${quoted(messages.id!)}::text AS id, row_to_json(c)::text AS row FROM ${from(messages.table)} t JOIN ${from(toolCalls.table)} c ON c.${quoted(toolCalls.message)} = t.${quoted(messages.id!)} WHERE ${wanted} ORDER BY row_to_json(c)::text`,
    [[...groups.keys()]],
  );
  for (const row of calls) groups.get(String(row["parent"]))!.toolCalls.push(exact(row, toolCalls.message));
}

/** A row whose id is the exact text: a whole number of Postgres may be beyond the numbers of JSON. */
function exact({ id, row }: Record<string, unknown>, column: string | undefined): JsonObject {
  const object = rowOf(row);
  return column === undefined || id === null ? object : { ...object, [column]: String(id) };
}

const rowOf = (row: unknown): JsonObject => JSON.parse(String(row)) as JsonObject;
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

async function inSnapshot<T>(settings: Settings, work: (on: PgConnection) => Promise<T>): Promise<T> {
  const session = await begin(settings);
  try {
    return await work(session.on);
  } finally {
    await session.end();
  }
}

async function begin({ connectionString }: Settings): Promise<{ on: PgConnection; end: () => Promise<void> }> {
  const { default: pg } = await loadPeer(
    { name: "pg", range: "^8.11.0", neededBy: "@hebra/migrate/postgres" },
    () => import("pg"),
  );
  const client = new pg.Client({ connectionString });
  // The error of a lost connection reaches the query that waits on it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  } catch (error) {
    await client.end().catch(() => undefined);
    throw unreadable("The source database cannot be reached", error);
  }
  return { on: client as unknown as PgConnection, end: () => client.end() };
}

async function ask(on: PgConnection, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  try {
    return (await on.query(text, values)).rows;
  } catch (error) {
    throw unreadable("The source database cannot read what the mapping names", error);
  }
}

/** Postgres names the table or column; a connection string is never in it. */
function unreadable(what: string, cause: unknown): HebraError {
  const { message, code } = cause as { message?: string; code?: string };
  const why = typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? (message ?? code) : (code ?? "unknown");
  return new HebraError("SOURCE_INVALID", `${what}: ${why}.`, { cause, details: { code: code ?? null } });
}
