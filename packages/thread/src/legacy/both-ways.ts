import type { JsonValue } from "@hebra/core";
import type { Lease, LockManager } from "@hebra/lock";
import type { ThreadStore } from "../store/store.ts";
import { catchUp } from "./catch-up.ts";
import { handover, type LegacyRows } from "./handover.ts";
import type { MappedGroup } from "./read-through/legacy-store.ts";
import type { LegacyGroup, LegacyReader } from "./read-through/reader.ts";

/** Options of {@link bothWays}. */
export interface BothWaysOptions {
  /** Where the old engine's rows are. */
  reader: LegacyReader;
  /** Maps the rows of one context: `storyBundle` of `@hebra/migrate`. */
  toBundle(group: LegacyGroup): MappedGroup | Promise<MappedGroup>;
  /**
   * Writes rows of the new engine's turns where the old engine reads, by their ids: they may come again.
   *
   * @param change - `id` is stable for one way back
   */
  accept(rows: LegacyRows, change: { tenant: string; session: string; id: string }): void | Promise<void>;
  /** As for {@link catchUp}. */
  state?: (current: JsonValue, old: JsonValue) => JsonValue;
  /** As for {@link catchUp}. @defaultValue 0 */
  maxRejects?: number;
}

/** A conversation on its way, as the runtime tells of it. */
interface Change {
  readonly tenant: string;
  readonly session: string;
  readonly id: string;
  readonly store: ThreadStore;
  readonly locks: LockManager;
  readonly lease: Lease;
}

/**
 * The two ways between an old engine and this one, for the `legacy` option of `createRuntime`: a conversation takes its
 * whole history along when it comes and when it goes back.
 *
 * @example
 * ```ts
 * import { bothWays, type LegacyReader, type LegacyRows, type MappedGroup } from "@hebra/thread/legacy";
 * import type { LegacyEngine } from "@hebra/thread/runtime";
 *
 * // In production: import { storyBundle } from "@hebra/migrate".
 * declare function storyBundle(group: object): MappedGroup;
 * declare const old: {
 *   reader: LegacyReader;
 *   upsert(rows: LegacyRows): Promise<void>;
 *   reply(session: string, text: string): Promise<string>;
 * };
 *
 * export const legacy: LegacyEngine = {
 *   answer: async ({ session, text = "" }) => ({ status: "ok", texts: [await old.reply(session, text)] }),
 *   ...bothWays({ reader: old.reader, toBundle: storyBundle, accept: (rows) => old.upsert(rows) }),
 * };
 * ```
 */
export function bothWays(options: BothWaysOptions) {
  const { reader, toBundle, accept, state, maxRejects } = options;
  return {
    async handBack({ tenant, session, id, store }: Change): Promise<void> {
      await accept(await handover(store, { tenant, key: session }), { tenant, session, id });
    },
    async catchUp({ tenant, session, store, locks, lease }: Change): Promise<void> {
      await catchUp({
        ...{ store, locks, lease, toBundle },
        legacy: reader,
        address: { tenant, key: session },
        ...(state === undefined ? {} : { state }),
        ...(maxRejects === undefined ? {} : { maxRejects }),
      });
    },
  };
}
