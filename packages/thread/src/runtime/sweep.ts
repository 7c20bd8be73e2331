import { deriveId } from "@hebra/core";
import type { RuntimeServices } from "./services.ts";
import { asJson } from "./payloads.ts";

/** What a sweep works with. */
export type SweepParts = Pick<RuntimeServices, "bus" | "store" | "handover" | "clock">;

/** Which work a sweep looks for. */
export interface SweepOptions {
  /** Work untouched since then, in milliseconds since the epoch. */
  before: number;
  /** Replies that were stored before then and not sent. */
  repliesBefore: number;
  /** Of each kind. */
  limit: number;
  /** Only turns of these. @defaultValue all */
  definitions?: readonly string[];
  /** Whether replies may have been given to the bus before. */
  again: boolean;
  signal?: AbortSignal;
}

/** Messages of one publish. */
const BATCH = 500;
/** How often a waiting turn that is due is woken, in milliseconds. */
const WAKE_AGAIN_MS = 60_000;

/**
 * Gives to the bus what the store holds and nobody works on: turns that are queued, lost their worker or were decided,
 * and replies that were not sent.
 *
 * @returns how many conversations it woke, and how many have unsent replies
 */
export async function sweepStore(
  { bus, store, handover, clock }: SweepParts,
  { before, repliesBefore, limit, definitions, again, signal }: SweepOptions,
): Promise<{ woken: number; unsent: number }> {
  const now = clock.now();
  const only = { limit, ...(definitions === undefined ? {} : { definitions }) };
  const orphans = await store.system().sweep({ before, ...only });
  // A decision whose maker died before it woke anybody, and consent that nobody gave in time.
  const due = await store.system().due({ now, ...only });
  const wakes = [...orphans, ...due].map(({ tenant, threadKey, contextId, executionId, updatedAt, status }) => {
    // The id keeps a turn that stays as it is from being woken again and again; one that is due may be so by
    // another's clock only.
    const id = deriveId(
      "wake",
      executionId,
      updatedAt,
      ...(status === "waiting" ? [Math.floor(now / WAKE_AGAIN_MS)] : []),
    );
    return { tenant, session: threadKey, id, payload: asJson({ kind: "wake", contextId }) };
  });
  for (let from = 0; from < wakes.length; from += BATCH) await bus.publishInbound(wakes.slice(from, from + BATCH));
  const late = await store.system().outbox({ before: repliesBefore, limit });
  const contexts = new Map(
    late.map(({ tenant, row }) => [`${tenant}/${row.contextId}`, { tenant, contextId: row.contextId }]),
  );
  for (const { tenant, contextId } of contexts.values()) {
    const snapshot = await store.load(tenant, { contextId });
    if (snapshot === undefined || signal?.aborted === true) continue;
    const claim = await bus.claim({ tenant, session: snapshot.thread.key }, { waitMs: 0 }).catch(() => undefined);
    // The holder sees the rows when it releases the conversation.
    if (claim === undefined) continue;
    if (snapshot.thread.mainContextId === contextId) {
      await handover.settle(claim, [], { again });
      continue;
    }
    await claim.ack({ outbound: handover.replies(snapshot, { again }) });
    handover.done(tenant, snapshot, claim.fence);
  }
  return { woken: wakes.length, unsent: contexts.size };
}
