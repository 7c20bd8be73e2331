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
  /** Ends a claim, with what its turns have to send. @param taken - messages that were taken under it */
  settle(claim: Claim, taken?: readonly Taken[]): Promise<void>;
  /** Marks everything now. */
  flush(): Promise<void>;
}

/** Milliseconds after which the rows of a conversation that has gone quiet are marked. */
const MARK_AFTER_MS = 1_000;
const MAX_REMEMBERED = 10_000;

export function createHandover(options: { store: ThreadStore; clock: Clock; logger: Logger }): Handover {
  const { store, clock, logger } = options;
  /** Sent by this process: the bus would drop them, but need not be asked. Bounded, oldest first. */
  const sent = new Set<string>();
  const waiting = new Map<string, { mark: () => Promise<void>; cancel: () => void }>();

  function remember(id: string): void {
    sent.delete(id);
    sent.add(id);
    if (sent.size > MAX_REMEMBERED) sent.delete(sent.values().next().value!);
  }

  const handover: Handover = {
    replies(snapshot) {
      return snapshot.outbox
        .filter(({ id }) => !sent.has(id))
        .map(({ id, payload, index }) => {
          const { replyTo, trace } = readOutbound(payload);
          return { id, gatewayId: replyTo.gatewayId, seq: index, ...(trace === undefined ? {} : { trace }), payload };
        });
    },
    done(tenant, { context, outbox }, fence) {
      if (outbox.length === 0) return;
      const ids = outbox.map(({ id }) => id);
      for (const id of ids) remember(id);
      const key = `${tenant}/${context.id}`;
      waiting.get(key)?.cancel();
      const mark = async () => {
        waiting.delete(key);
        try {
          await store.commit(tenant, context.id, { fence, expectedSeq: context.seq }, { context: { updatedAt: clock.now() }, handedOver: ids, events: [] });
        } catch (error) {
          // The next holder sees the rows, sends them under the same ids and marks them.
          const code = errorCode(error);
          if (code !== "STALE_FENCE" && code !== "VERSION_CONFLICT") logger.warn("Outbox rows could not be marked; they are sent again under the same ids.", { error: errorMessage(error) });
        }
      };
      waiting.set(key, { mark, cancel: clock.after(MARK_AFTER_MS, () => void mark()) });
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
        logger.warn("A conversation could not be given back; its lease will end.", { code: errorCode(error) ?? null, error: errorMessage(error) });
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
