import {
  errorCode,
  HebraError,
  parseOptions,
  silentLogger,
  systemClock,
  type Clock,
  type JsonValue,
  type Logger,
} from "@hebra/core";
import { lockKey, type Lease, type LockManager } from "@hebra/lock";
import * as z from "zod";
import { currentBundle } from "../store/bundle.ts";
import type { ContextBundle, ThreadStore } from "../store/store.ts";
import { appendTurns } from "./append-turns.ts";
import { isUntouched, type MappedGroup } from "./read-through/legacy-store.ts";
import type { LegacyGroup, LegacyReader } from "./read-through/reader.ts";

/** How a conversation is caught up. */
export interface CatchUpOptions {
  /** Where threads live: the thread store itself, or a `legacyStore` over it. */
  store: ThreadStore;
  /** The engine's own lock manager: what is added is written under the thread's lease. */
  locks: LockManager;
  /** Where the old engine's rows are. */
  legacy: LegacyReader;
  /** Maps the rows of one context: `storyBundle` of `@hebra/migrate`. */
  toBundle(group: LegacyGroup): MappedGroup | Promise<MappedGroup>;
  /** Which conversation. */
  address: ({ key: string } | { contextId: string }) & { tenant?: string };
  /** The thread's lease, when the caller holds it already; it stays the caller's. */
  lease?: Lease;
  /**
   * What becomes of the state document, which both engines may have changed. Asked only when the old engine has added
   * something. @defaultValue the thread's own stays
   */
  state?: (current: JsonValue, old: JsonValue) => JsonValue;
  /** How many rows that are not in the thread store yet may find no place in it. @defaultValue 0 */
  maxRejects?: number;
  clock?: Clock;
  /** @defaultValue one that says nothing */
  logger?: Logger;
}

const isObject = (value: unknown) => typeof value === "object" && value !== null;
const isFunction = (value: unknown) => typeof value === "function";
const schema = z.strictObject({
  store: z.custom(isObject, "must be a thread store"),
  locks: z.custom(isObject, "must be a lock manager"),
  legacy: z.custom(isObject, "must be a reader"),
  toBundle: z.custom(isFunction, "must be a function"),
  address: z.custom(isObject, "must be an address"),
  lease: z.custom(isObject).optional(),
  state: z.custom(isFunction).optional(),
  maxRejects: z.number().nonnegative().default(0).or(z.literal(Infinity)),
  clock: z.custom(isObject).optional(),
  logger: z.custom(isObject).optional(),
});

/** How often to begin anew when others write at the same time. */
const ATTEMPTS = 10;

/**
 * Takes in what the old engine has added to a conversation since the new one went on with it: for the moment at which a
 * conversation comes back after a rollback. With {@link handover} in the other direction both engines always have one
 * whole
 * history, however often a conversation goes back and forth. A conversation that the new engine never had is brought in
 * whole. (`catchUp` of `@hebra/migrate` knows that first move alone, and refuses a conversation that has gone on here.)
 *
 * The turns come to the end of the history, in the old engine's order, in one write under the thread's lease, with
 * their own
 * ids: done again, also by another process or after a crash, it adds nothing. Call it before the turn, once no turn of
 * the
 * old engine runs any more; one that runs nevertheless is taken in as unfinished and brought up to its end by a later
 * call.
 *
 * @returns whether anything was written
 * @throws HebraError `INVALID_OPTIONS`, `REJECTS_OVER_BUDGET` before anything is written, `LOCK_TIMEOUT` (retryable)
 * while a turn runs in the thread, `CONTEXT_MIGRATING`,
 * and what the store and the locks throw.
 *
 * @example
 * ```ts
 * import { storeLocks, type ThreadStore } from "@hebra/thread";
 * import { catchUp, handover, type LegacyReader, type MappedGroup } from "@hebra/thread/legacy";
 *
 * // In production: import { storyBundle } from "@hebra/migrate".
 * declare function storyBundle(group: object): MappedGroup;
 *
 * export function bothWays(store: ThreadStore, legacy: LegacyReader) {
 *   const locks = storeLocks(store);
 *   return {
 *     toNew: (key: string) => catchUp({ store, locks, legacy, toBundle: storyBundle, address: { key } }),
 *     toOld: (key: string) => handover(store, { key }),
 *   };
 * }
 * ```
 */
export async function catchUp(options: CatchUpOptions): Promise<{ changed: boolean }> {
  const { maxRejects } = parseOptions("catchUp", schema, options);
  const { locks, legacy, address, lease, logger = silentLogger } = options;
  const { tenant = "default" } = address;
  const group =
    "key" in address ? await legacy.byKey(tenant, address.key) : await legacy.byContextId(tenant, address.contextId);
  const mapped = group === undefined ? undefined : await options.toBundle(group);
  if (mapped?.document === undefined) return { changed: false };
  const old = currentBundle(mapped.document as ContextBundle);

  let held = lease ?? (await locks.acquire(lockKey(tenant, old.thread.key)));
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const changed = await append(options, tenant, old, mapped.rejects, maxRejects, held);
        if (changed)
          logger.info("A conversation was caught up with what the old engine had added.", {
            tenant,
            contextId: old.context.id,
          });
        return { changed };
      } catch (error) {
        if (attempt >= ATTEMPTS) throw error;
        const code = errorCode(error);
        if (code === "STALE_FENCE" && lease === undefined) {
          // Locks that have lost their count are told the store's.
          await locks.seed(held.key, Number((error as HebraError).details["fence"]));
          await held.release();
          held = await locks.acquire(held.key);
        } else if (code !== "VERSION_CONFLICT" && code !== "IMPORT_CONFLICT") throw error;
      }
    }
  } finally {
    if (lease === undefined) await held.release();
  }
}

/** @returns whether anything was written */
async function append(
  { store, clock = systemClock, state }: CatchUpOptions,
  tenant: string,
  old: ContextBundle,
  rejects: readonly unknown[],
  maxRejects: number,
  { fence }: Lease,
): Promise<boolean> {
  const contextId = old.context.id;
  const seen = await store.load(tenant, { contextId });
  if (seen?.context.importing === true)
    throw new HebraError(
      "CONTEXT_MIGRATING",
      `The context ${contextId} is being imported. Try again when the import has ended.`,
      { details: { contextId } },
    );
  if (seen === undefined || isUntouched(seen)) {
    refuseOver(rejects, maxRejects, old.thread.key);
    return (await store.import(tenant, old)).changed;
  }
  const present = (await store.export(tenant, contextId))!;
  const has = new Set(
    [...present.items, ...present.executions, ...present.steps, ...present.parts].map(({ id }) => id),
  );
  refuseOver(
    rejects.filter((one) => !has.has(String((one as { id?: unknown }).id))),
    maxRejects,
    old.thread.key,
  );
  const at = clock.now();
  if (appendTurns(tenant, present, old, at) === undefined) return false;
  const changes = appendTurns(tenant, present, old, at, state?.(present.context.state, old.context.state))!;
  await store.commit(tenant, contextId, { fence, expectedSeq: present.context.seq }, changes);
  return true;
}

function refuseOver(rejects: readonly unknown[], maxRejects: number, key: string): void {
  if (rejects.length <= maxRejects) return;
  throw new HebraError(
    "REJECTS_OVER_BUDGET",
    `${rejects.length} rows of the old conversation ${key} have no place in the new one, and ${maxRejects} are allowed. Repair them, or raise \`maxRejects\`.`,
    { details: { rejects: rejects.length } },
  );
}
