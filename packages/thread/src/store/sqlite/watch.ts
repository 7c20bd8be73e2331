import type { Clock } from "@hebra/core";
import { createWatchers, type Watchers } from "../watchers.ts";
import type { SqliteConnection } from "./driver.ts";

/** How often to look for writes of other processes, in milliseconds. */
const POLL_MS = 250;

/** Inbox news: at once for writes of this process; for those of others, a look at the file while somebody watches. */
export function createWatch(database: SqliteConnection, clock: Clock): Pick<Watchers, "watch" | "notify" | "close"> {
  // Changes only when another connection has written: one page read, however many contexts are watched.
  const version = database.prepare("PRAGMA data_version");
  const inbox = database.prepare("SELECT inbox_seq FROM thread_contexts WHERE tenant = ?1 AND id = ?2");
  const seen = new Map<string, number>();
  let last: unknown;
  let cancel: (() => void) | undefined;
  const inboxOf = (tenant: string, contextId: string) => (inbox.all([tenant, contextId])[0]?.[0] ?? 0) as number;
  const look = () => {
    cancel = clock.after(POLL_MS, look);
    try {
      const now = version.all([])[0]![0];
      if (now === last) return;
      for (const { tenant, contextId } of watchers.watched()) {
        const at = inboxOf(tenant, contextId);
        const key = JSON.stringify([tenant, contextId]);
        if (seen.get(key) !== at) watchers.notify(tenant, contextId);
        seen.set(key, at);
      }
      last = now;
    } catch {
      // Busy or gone: the next look, or the next call of the store, will tell.
    }
  };
  const watchers = createWatchers((some) => {
    cancel?.();
    cancel = some ? clock.after(POLL_MS, look) : undefined;
    if (!some) seen.clear();
  });
  return {
    watch(tenant, contextId, onInbox) {
      const stop = watchers.watch(tenant, contextId, onInbox);
      try {
        seen.set(JSON.stringify([tenant, contextId]), inboxOf(tenant, contextId));
      } catch {
        // Unknown as yet: the first look will call back, perhaps for nothing.
      }
      return stop;
    },
    notify: watchers.notify,
    close: watchers.close,
  };
}
