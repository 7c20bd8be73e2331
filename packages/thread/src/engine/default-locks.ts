import { HebraError, type Clock } from "@hebra/core";
import { localLocks, type LockManager } from "@hebra/lock";
import { storeLocks } from "../store/locks.ts";
import type { ThreadStore } from "../store/store.ts";

/**
 * The locks of an engine that was given none: over a store that several hosts share, leases in that store. With locks
 * of its own, each process would take the turns of the others for orphans.
 *
 * @throws HebraError `UNSUPPORTED` for a shared store without leases
 */
export function defaultLocks(store: ThreadStore, clock: Clock): LockManager {
  if (store.scope !== "shared") return localLocks({ clock });
  if (store.leases !== undefined) return storeLocks(store, { clock });
  throw new HebraError(
    "UNSUPPORTED",
    `createEngine: the ${store.name} store may be shared by several processes and keeps no leases. Pass \`locks\` that all of them share, such as \`redisLocks\`; or \`localLocks()\` when this process is the only one.`,
    { details: { store: store.name } },
  );
}
