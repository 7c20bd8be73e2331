import Database from "libsql";

/** Counts what is in a thread store's SQLite file, past the engine: by its tables. */
export function countRows(path: string) {
  const database = new Database(path, { readonly: true });
  const count = (sql: string) => (database.prepare(sql).get() as { n: number }).n;
  try {
    return {
      contexts: count("select count(*) as n from thread_contexts"),
      items: count("select count(*) as n from thread_items"),
      executions: count("select count(*) as n from thread_executions"),
      completed: count("select count(*) as n from thread_executions where status = 'completed'"),
      calls: count("select count(*) as n from thread_action_calls where status = 'succeeded'"),
      emptyResults: count("select count(*) as n from thread_action_calls where output = '[]'"),
    };
  } finally {
    database.close();
  }
}
