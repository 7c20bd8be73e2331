import { errorCode, errorMessage, type Clock, type JsonValue, type Logger } from "@hebra/core";
import type { Claim, Reply } from "@hebra/bus";
import type { Snapshot, ThreadStore } from "../store/store.ts";
import { settledCount, type Taken } from "./mid-turn.ts";
import { readOutbound } from "./payloads.ts";

/** Takes what turns have stored in the outbox to the bus, and marks it. */
export interface Handover {
  /** What a context still has to send, as replies of an ack. */
  replies(snapshot: Snapshot): Reply<JsonValue>[];
  /** The replies are on the bus: their rows are marked soon, unless another holder comes first and does. */
  done(tenant: string, snapshot: Snapshot, fence: number): void;
  /** The channel has these, or will never take them. */
  sent(ids: readonly string[]): void;
  /** Ends a claim, with what its turns have to send. @param taken - messages that were taken under it */
  settle(claim: Claim, taken?: readonly Taken[]): Promise<void>;
  /** Marks everything now. */
  flush(): Promise<void>;
}

/** Milliseconds after which the rows of a conversation that has gone quiet are marked. */
const MARK_AFTER_MS = 1_000;
const MAX_REMEMBERED = 10_000;
/** How often a mark is tried at once against a turn that writes at the same time. */
const MARK_ATTEMPTS = 5;

/**
 * @param options - `busForgets`: the bus ends with this process, so that a reply is safe only once its channel has it
 */
export function createHandover(options: {
  store: ThreadStore;
  clock: Clock;
  logger: Logger;
  busForgets: boolean;
}): Handover {
  const { store, clock, logger, busForgets } = options;
  /** Given to the bus by this process: it would drop them, but need not be asked. Bounded, oldest first. */
  const given = new Set<string>();
  /** Given to a bus that forgets, and not sent yet: where their rows are. */
  const unsent = new Map<string, { tenant: string; contextId: string }>();
  const waiting = new Map<string, { ids: Set<string>; mark: () => Promise<void>; cancel: () => void }>();

  function remember(id: string): void {
    given.delete(id);
    given.add(id);
    if (given.size > MAX_REMEMBERED) given.delete(given.values().next().value!);
  }

  /** Marks rows without a lease: it moves no sequence, so that a turn that runs meanwhile is not disturbed. */
  async function markSent(tenant: string, contextId: string, ids: ReadonlySet<string>): Promise<boolean> {
    for (let attempt = 0; attempt < MARK_ATTEMPTS; attempt++) {
      const snapshot = await store.load(tenant, { contextId });
      const rows = snapshot?.outbox.filter(({ id }) => ids.has(id)) ?? [];
      if (snapshot === undefined || rows.length === 0) return true;
      const { fence, seq } = snapshot.context;
      try {
        await store.commit(
          tenant,
          contextId,
          { fence, expectedSeq: seq },
          { context: { updatedAt: clock.now() }, handedOver: rows.map(({ id }) => id), events: [] },
        );
        return true;
      } catch (error) {
        const code = errorCode(error);
        if (code !== "STALE_FENCE" && code !== "VERSION_CONFLICT") throw error;
      }
    }
    return false;
  }

  function markSentLater(tenant: string, contextId: string, id: string): void {
    const key = `${tenant}/${contextId}`;
    const entry = waiting.get(key);
    entry?.cancel();
    const ids = (entry?.ids ?? new Set<string>()).add(id);
    const mark = async () => {
      waiting.delete(key);
      const marked = await markSent(tenant, contextId, ids).catch((error: unknown) => {
        logger.warn("Replies that were sent could not be marked; a restart would send them again.", {
          error: errorMessage(error),
        });
        return false;
      });
      if (!marked) for (const each of ids) markSentLater(tenant, contextId, each);
    };
    waiting.set(key, { ids, mark, cancel: clock.after(MARK_AFTER_MS, () => void mark()) });
  }

  const handover: Handover = {
    replies(snapshot) {
      return snapshot.outbox
        .filter(({ id }) => !given.has(id))
        .map(({ id, payload, index }) => {
          const { replyTo, trace } = readOutbound(payload);
          return { id, gatewayId: replyTo.gatewayId, seq: index, ...(trace === undefined ? {} : { trace }), payload };
        });
    },
    done(tenant, { context, outbox }, fence) {
      if (outbox.length === 0) return;
      const ids = outbox.map(({ id }) => id);
      for (const id of ids) remember(id);
      if (busForgets) {
        for (const id of ids) unsent.set(id, { tenant, contextId: context.id });
        return;
      }
      const key = `${tenant}/${context.id}`;
      waiting.get(key)?.cancel();
      const mark = async () => {
        waiting.delete(key);
        try {
          await store.commit(
            tenant,
            context.id,
            { fence, expectedSeq: context.seq },
            { context: { updatedAt: clock.now() }, handedOver: ids, events: [] },
          );
        } catch (error) {
          // The next holder sees the rows, sends them under the same ids and marks them.
          const code = errorCode(error);
          if (code !== "STALE_FENCE" && code !== "VERSION_CONFLICT")
            logger.warn("Outbox rows could not be marked; they are sent again under the same ids.", {
              error: errorMessage(error),
            });
        }
      };
      waiting.set(key, { ids: new Set(ids), mark, cancel: clock.after(MARK_AFTER_MS, () => void mark()) });
    },
    sent(ids) {
      for (const id of ids) {
        const place = unsent.get(id);
        unsent.delete(id);
        if (place !== undefined) markSentLater(place.tenant, place.contextId, id);
      }
    },
    async settle(claim, taken = []) {
      try {
        const snapshot = claim.signal.aborted ? undefined : await store.load(claim.tenant, { key: claim.session });
        const outbound = snapshot === undefined ? [] : handover.replies(snapshot);
        const held = claim.messages.length;
        const count = settledCount(taken, snapshot);
        if (claim.signal.aborted || (held > 0 ? count === 0 : outbound.length === 0)) return await claim.release();
        await claim.ack({ outbound, ...(held > 0 ? { count } : {}) });
        if (snapshot !== undefined) handover.done(claim.tenant, snapshot, claim.fence);
      } catch (error) {
        logger.warn("A conversation could not be given back; its lease will end.", {
          code: errorCode(error) ?? null,
          error: errorMessage(error),
        });
        await claim.release().catch(() => undefined);
      }
    },
    async flush() {
      const all = [...waiting.values()];
      for (const { cancel } of all) cancel();
      await Promise.all(all.map(({ mark }) => mark()));
    },
  };
  return handover;
}
