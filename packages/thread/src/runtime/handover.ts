import { errorCode, errorMessage, type Clock, type JsonValue, type Logger } from "@hebra/core";
import type { Claim, Reply } from "@hebra/bus";
import type { OutboxRow } from "../store/rows.ts";
import type { Snapshot, ThreadStore } from "../store/store.ts";
import { asJson, readOutbound, type OutboxPlace } from "./payloads.ts";
import { cutByBytes } from "./reply-pieces.ts";
import { settledCount, type Taken } from "./taken.ts";

/** Takes what turns have stored in the outbox to the bus, and marks it. */
export interface Handover {
  /**
   * What a context still has to send, as replies of an ack.
   *
   * @param options - `again`: also what this process gave to the bus before, unless it is so old that the bus has
   * forgotten its id
   */
  replies(snapshot: Snapshot, options?: { again?: boolean }): Reply<JsonValue>[];
  /**
   * The replies are on the bus. Where the bus is trusted to keep them their rows are marked soon, unless another holder
   * does it first; else `sent` marks them.
   */
  done(tenant: string, snapshot: Snapshot, fence: number): void;
  /** A channel has the reply of this row, or will never take it. */
  sent(tenant: string, row: OutboxPlace): void;
  /** Ends a claim, with what its turns have to send. @param taken - messages that were taken under it */
  settle(claim: Claim, taken?: readonly Taken[], options?: { again?: boolean }): Promise<void>;
  /** Marks everything now. */
  flush(): Promise<void>;
}

/** Milliseconds after which the rows of a conversation that has gone quiet are marked. */
const MARK_AFTER_MS = 1_000;
const MAX_REMEMBERED = 10_000;
/** Milliseconds for which a bus knows the id of a reply, at least. Older ones are given once by each process. */
const BUS_REMEMBERS_MS = 3_600_000;
/** How often a mark is tried at once against a turn that writes at the same time. */
const MARK_ATTEMPTS = 5;

/**
 * @param options - `whenSent`: the bus may forget, so that a reply is safe only once its channel has it;
 * `maxReplyBytes`: bytes of one message of a reply
 */
export function createHandover(options: {
  store: ThreadStore;
  clock: Clock;
  logger: Logger;
  whenSent: boolean;
  maxReplyBytes: number;
}): Handover {
  const { store, clock, logger, whenSent, maxReplyBytes } = options;
  /** Given to the bus by this process: it would drop them, but need not be asked. Bounded, oldest first. */
  const given = new Set<string>();
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

  /** A row as one message of the bus, or as several when one cannot hold it. */
  function messagesOf({ id, payload, index, contextId }: OutboxRow, again: boolean): Reply<JsonValue>[] {
    const read = readOutbound(payload);
    const { replyTo, trace } = read;
    const text = read.kind === "waiting" ? "" : read.text;
    const texts = cutByBytes(text, maxReplyBytes);
    return texts.map((piece, place) => ({
      id: place === 0 ? id : `${id}/${place}`,
      gatewayId: replyTo.gatewayId,
      seq: index,
      ...(trace === undefined ? {} : { trace }),
      payload: asJson({
        ...read,
        ...(read.kind === "waiting" ? {} : { text: piece }),
        ...(texts.length === 1 ? {} : { piece: { index: place, count: texts.length } }),
        ...(whenSent ? { row: { contextId, id } } : {}),
        ...(again ? { again } : {}),
      }),
    }));
  }

  const handover: Handover = {
    replies(snapshot, { again = false } = {}) {
      const since = clock.now() - BUS_REMEMBERS_MS;
      return snapshot.outbox
        .filter(({ id, createdAt }) => !given.has(id) || (again && createdAt > since))
        .flatMap((row) => messagesOf(row, again));
    },
    done(tenant, { context, outbox }, fence) {
      if (outbox.length === 0) return;
      const ids = outbox.map(({ id }) => id);
      for (const id of ids) remember(id);
      if (whenSent) return;
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
    sent: (tenant, { contextId, id }) => markSentLater(tenant, contextId, id),
    async settle(claim, taken = [], settleOptions = {}) {
      try {
        const snapshot = claim.signal.aborted ? undefined : await store.load(claim.tenant, { key: claim.session });
        const outbound = snapshot === undefined ? [] : handover.replies(snapshot, settleOptions);
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
