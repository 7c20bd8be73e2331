import Database from "libsql";

/** What the file holds of one conversation. */
export interface ConversationRow {
  key: string;
  triggers: number;
  reactions: number;
  executionsMoved: number;
  executionsNew: number;
  steps: number;
  parts: number;
  calls: number;
  pending: number;
}

/** Reads a thread store's file past the engine, by its tables. */
export function readTables(path: string): ConversationRow[] {
  const database = new Database(path, { readonly: true });
  const count = (table: string, where: string) =>
    `(select count(*) from ${table} where ${table}.context_id = c.id and ${where})`;
  try {
    const rows: unknown = database
      .prepare(
        `select t.key as key,
          ${count("thread_items", "kind = 'trigger'")} as triggers,
          ${count("thread_items", "kind = 'reaction'")} as reactions,
          ${count("thread_executions", "provenance is not null")} as executionsMoved,
          ${count("thread_executions", "provenance is null")} as executionsNew,
          ${count("thread_steps", "1 = 1")} as steps,
          ${count("thread_parts", "1 = 1")} as parts,
          ${count("thread_action_calls", "1 = 1")} as calls,
          ${count("thread_items", "status = 'pending'")} + ${count("thread_executions", "ended_at is null")} + ${count("thread_steps", "status in ('running', 'waiting')")} as pending
        from thread_contexts c join thread_threads t on t.tenant = c.tenant and t.id = c.thread_id order by t.key`,
      )
      .all();
    return rows as ConversationRow[];
  } finally {
    database.close();
  }
}
