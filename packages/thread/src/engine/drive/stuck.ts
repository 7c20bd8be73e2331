import { errorCode, errorMessage } from "@hebra/core";
import type { StuckConversation } from "../engine-health.ts";
import type { DriveTarget } from "./drive-target.ts";

/** The conversations that this process could not go on with. */
export interface StuckList {
  get(target: Pick<DriveTarget, "tenant" | "contextId">): (StuckConversation & { error: unknown }) | undefined;
  all(): StuckConversation[];
  add(target: DriveTarget, error: unknown, options: { at: number; retries: boolean }): void;
  remove(target: DriveTarget): void;
}

/** Conversations that are remembered; the oldest are forgotten first. */
const MAX_KEPT = 1_000;

export function createStuckList(): StuckList {
  const entries = new Map<string, StuckConversation & { error: unknown }>();
  const idOf = ({ tenant, contextId }: Pick<DriveTarget, "tenant" | "contextId">) => `${tenant}/${contextId}`;
  return {
    get: (target) => entries.get(idOf(target)),
    all: () => [...entries.values()].map(({ error: _error, ...shown }) => shown),
    add(target, error, { at, retries }) {
      const { tenant, threadKey, contextId } = target;
      const since = entries.get(idOf(target))?.since ?? at;
      const code = errorCode(error) ?? "INTERNAL";
      entries.set(idOf(target), {
        tenant,
        threadKey,
        contextId,
        since,
        code,
        message: errorMessage(error),
        retries,
        error,
      });
      if (entries.size > MAX_KEPT) entries.delete(entries.keys().next().value!);
    },
    remove: (target) => void entries.delete(idOf(target)),
  };
}
