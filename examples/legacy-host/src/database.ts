// The one file that is new: where it opened the old engine's database it now opens a store, over the old rows.
import { storyBundle } from "@hebra/migrate";
import type { ThreadStore } from "@hebra/thread";
import { legacyStore, memoryReader } from "@hebra/thread/legacy";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { oldRows } from "./old-rows.ts";

let opened: Promise<ThreadStore> | undefined;

/** The same store for every tenant: each reads and writes its own. */
export async function openDatabase(orgId: string): Promise<{ store: ThreadStore; tenant: string }> {
  opened ??= sqliteStore({ path: ":memory:" }).then((store) =>
    legacyStore({ store, legacy: memoryReader((tenant) => oldRows.get(tenant)), toBundle: storyBundle }),
  );
  return { store: await opened, tenant: orgId };
}
