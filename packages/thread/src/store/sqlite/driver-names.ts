/** The clients of SQLite that the store can use. */
export const sqliteDriverNames = ["libsql", "better-sqlite3", "node:sqlite"] as const;
