import { HebraError } from "@hebra/core";
import type { ThreadStore } from "../../store/store.ts";

/** The old engine's conversations that were deleted: their rows are still there, and must not be read any more. */
export interface Graves {
  has(tenant: string, threadId: string): Promise<boolean>;
  add(tenant: string, threadId: string): Promise<void>;
}

/** Longer than any store is in use, in milliseconds. */
const FOR_EVER = 1e15;
const HOLDER = "deleted";

/** Kept among the leases of a store, which no deletion takes away: each is one that is never given back. */
export function createGraves({ name, leases }: ThreadStore): Graves {
  const keyOf = (tenant: string, threadId: string) => `deleted/${encodeURIComponent(tenant)}/${threadId}`;
  return {
    async has(tenant, threadId) {
      const request = { ask: "extend", token: HOLDER, ttlMs: FOR_EVER } as const;
      return (await leases?.request(keyOf(tenant, threadId), request))?.fence !== undefined;
    },
    async add(tenant, threadId) {
      if (leases === undefined)
        throw new HebraError(
          "UNSUPPORTED",
          `The ${name} store keeps no leases, so that a conversation of the old engine could not stay deleted. Delete its old rows first, or use another store.`,
        );
      await leases.request(keyOf(tenant, threadId), { ask: "take", token: HOLDER, ttlMs: FOR_EVER });
    },
  };
}
