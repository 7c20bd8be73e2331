import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, it } from "vitest";
import { openSqlite } from "./sqlite/driver.ts";
import { sqliteStore } from "./sqlite.ts";
import { storeContract } from "./store.contract.ts";
import type { ThreadStore } from "./store.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-sqlite-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
const paths = new WeakMap<ThreadStore, string>();
const open = async (path: string) => {
  const store = await sqliteStore({ path, synchronous: "NORMAL" });
  paths.set(store, path);
  return store;
};

describe("sqliteStore", () => {
  const clauses = storeContract({
    create: () => open(join(directory, `${++files}.db`)),
    reopen: (store) => open(paths.get(store)!),
    async age(store, { tenant, contextId, itemId }, v) {
      const database = await openSqlite("libsql", paths.get(store)!);
      database
        .prepare("UPDATE thread_items SET schema_version = ?1 WHERE tenant = ?2 AND context_id = ?3 AND id = ?4")
        .run([v, tenant, contextId, itemId]);
      database.close();
    },
  });
  for (const [title, clause] of Object.entries(clauses)) it(title, clause);
});
