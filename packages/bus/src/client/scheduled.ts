import { HebraError } from "@hebra/core";
import type { BusCore } from "./bus-core.ts";
import type { ScheduledMessage } from "./bus-reports.ts";

/**
 * One page of what is to come. What cannot be read is left out: it is dealt with when its time comes. @throws
 * HebraError `INVALID_OPTIONS`
 */
export async function listScheduled(
  { backend, codec }: Pick<BusCore, "backend" | "codec">,
  options: { limit?: number; after?: string } = {},
): Promise<{ messages: ScheduledMessage[]; cursor?: string }> {
  const { limit = 100, after = "" } = options;
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new HebraError("INVALID_OPTIONS", "scheduled: `limit` must be a whole number of at least 1.");
  if (!/^(?:\d+:\d+)?$/.test(after))
    throw new HebraError("INVALID_OPTIONS", "scheduled: `after` must be the cursor of an earlier page.");
  const { entries, cursor } = await backend.scheduled(limit, after);
  const messages = entries.flatMap(({ body, at }): ScheduledMessage[] => {
    const decoded = codec.decode(body);
    if (decoded.kind !== "envelope") return [];
    const { id, tenant, session, idempotencyKey, interrupt, payload, trace } = decoded.envelope;
    return [{ id, tenant, session, at, idempotencyKey, interrupt, ...(trace === undefined ? {} : { trace }), payload }];
  });
  return { messages, ...(cursor === undefined ? {} : { cursor }) };
}
