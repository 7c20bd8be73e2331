import type { Entry, EntryStatus, Space } from "../backend.ts";
import { entryArgs, maxDeadArg } from "./encode.ts";
import type { RedisState } from "./state.ts";

/** The arguments of the publish script, after time and space. */
export function publishArgs(
  { options: { settings } }: RedisState,
  space: Space,
  entries: readonly Entry[],
  { touch, willClaim }: { touch: boolean; willClaim: boolean },
): string[] {
  const args = [
    String(settings.maxBacklog),
    settings.overflow === "drop-oldest" ? "1" : "0",
    String(settings.dedupWindowMs),
    maxDeadArg(settings),
    touch ? "1" : "0",
    willClaim ? "1" : "0",
  ];
  for (const entry of entries) args.push(...entryArgs(space, entry));
  return args;
}

/** The answer of the publish script. */
export function statusesOf(reply: unknown): EntryStatus[] {
  return (reply as number[]).map((status) => (status === 0 ? "accepted" : status === 1 ? "duplicate" : "full"));
}
