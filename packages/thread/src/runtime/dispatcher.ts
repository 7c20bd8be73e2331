import { errorCode, errorMessage, HebraError } from "@hebra/core";
import type { Delivery, ReceivedMessage } from "@hebra/bus";
import type { Channel } from "./channel.ts";
import { readOutbound, type OutboundPayload } from "./payloads.ts";
import { failedOutcome } from "./send-outcome.ts";
import type { RuntimeServices } from "./services.ts";
import { insideTrace } from "./trace.ts";

/** Messages of one conversation that are looked at together, so that old deltas are left out. */
const BATCH = 16;

/** Replies that a gateway remembers to have sent. */
const MAX_REMEMBERED = 50_000;

type ReplyPayload = Extract<OutboundPayload, { kind: "reply" }>;

/** Sends what workers have answered, in order within each conversation. */
export interface Dispatcher {
  stop(): Promise<void>;
}

export function startDispatcher(
  services: RuntimeServices,
  options: { gatewayId: string; channels: ReadonlyMap<string, Channel>; concurrency: number },
): Dispatcher {
  const { bus, store, handover, carried, metrics, telemetry, clock, logger } = services;
  const { gatewayId, channels, concurrency } = options;
  const stopping = new AbortController();
  const working = new Set<Promise<void>>();
  /** Replies that a channel has taken. Bounded, oldest first. */
  const sent = new Set<string>();

  function channelOf(payload: OutboundPayload): Channel {
    const channel = channels.get(payload.replyTo.channel);
    if (channel !== undefined) return channel;
    throw new HebraError(
      "UNSUPPORTED",
      `The gateway ${gatewayId} has no channel ${payload.replyTo.channel}. Start it, and replay the dead letter.`,
    );
  }

  async function send(message: ReceivedMessage, payload: OutboundPayload, superseded: boolean): Promise<void> {
    const channel = channelOf(payload);
    const { tenant, session, id } = message;
    const { chat, inReplyTo } = payload.replyTo;
    const place = { tenant, session, chat, inReplyTo };
    if (payload.kind === "waiting") {
      await channel.sendWaiting?.({ ...place, executionId: payload.executionId, approvals: payload.approvals });
      return;
    }
    const shared = { ...place, text: payload.text, index: payload.index };
    if (payload.kind === "delta") {
      if (superseded) return;
      // What a delta shows, the reply shows as well.
      await channel
        .sendDelta?.({ ...shared, executionId: payload.executionId })
        .catch((error: unknown) =>
          logger.debug("A delta was not shown.", { channel: channel.name, error: errorMessage(error) }),
        );
      return;
    }
    if (await wasSent(message, payload)) {
      logger.debug("A reply was sent before and goes out once.", { channel: channel.name });
      return;
    }
    const startedAt = clock.monotonic();
    const { executionId, failure, piece } = payload;
    try {
      await channel.send({
        ...shared,
        id,
        ...(executionId === undefined ? {} : { executionId }),
        ...(piece === undefined ? {} : { piece }),
        ...(failure === undefined ? {} : { failure }),
      });
      remember(message);
      metrics.sent(channel.name, "sent", clock.monotonic() - startedAt);
      metrics.arrived(channel.name, clock.now() - message.enqueuedAt);
    } catch (error) {
      metrics.sent(channel.name, failedOutcome(error), clock.monotonic() - startedAt);
      throw error;
    }
  }

  const nameOf = ({ tenant, session, id }: ReceivedMessage) => JSON.stringify([tenant, session, id]);

  function remember(message: ReceivedMessage): void {
    sent.add(nameOf(message));
    if (sent.size > MAX_REMEMBERED) sent.delete(sent.values().next().value!);
  }

  /** A bus that lost its data knows no ids: this gateway does, and so does the row of a reply that was found late. */
  async function wasSent(message: ReceivedMessage, { row, again }: ReplyPayload): Promise<boolean> {
    if (sent.has(nameOf(message))) return true;
    if (again !== true || row === undefined) return false;
    const snapshot = await store.load(message.tenant, { contextId: row.contextId });
    return snapshot?.outbox.some(({ id }) => id === row.id) !== true;
  }

  /** These are sent, or never will be. */
  function left(messages: readonly ReceivedMessage[]): void {
    for (const { tenant, payload } of messages) {
      const read = readOutbound(payload);
      if (read.kind !== "reply" || read.row === undefined) continue;
      const { piece, row } = read;
      if (piece === undefined || piece.index === piece.count - 1) handover.sent(tenant, row);
    }
    carried.settled("outbound", messages);
  }

  const lost = ({ attempt }: Delivery): void => metrics.delivered("outbound", "lost", attempt);

  async function dispatch(delivery: Delivery): Promise<void> {
    let done = 0;
    try {
      const payloads = delivery.messages.map(({ payload }) => readOutbound(payload));
      for (const [index, message] of delivery.messages.entries()) {
        if (delivery.signal.aborted) return lost(delivery);
        const payload = payloads[index]!;
        const superseded = payloads.slice(index + 1).some((later) => later.executionId === payload.executionId);
        await insideTrace(telemetry, message.trace, () => send(message, payload, superseded));
        done++;
      }
      await delivery.ack();
      metrics.delivered("outbound", "settled", delivery.attempt);
      left(delivery.messages);
    } catch (error) {
      if (delivery.signal.aborted || errorCode(error) === "LEASE_LOST") return lost(delivery);
      logger.warn("A reply could not be sent.", {
        code: errorCode(error) ?? null,
        outcome: failedOutcome(error),
        error: errorMessage(error),
        attempt: delivery.attempt,
      });
      // What was sent leaves; the rest comes back, and fails alone.
      if (done > 0) {
        await delivery.ack({ count: done });
        metrics.delivered("outbound", "settled", delivery.attempt);
        left(delivery.messages.slice(0, done));
        return;
      }
      await delivery.nack({ error });
      metrics.delivered("outbound", "given-back", delivery.attempt);
      // It is in the dead letters: there is nothing left to send.
      if (delivery.messages.length === 1 && HebraError.isInstance(error) && !error.retryable) left(delivery.messages);
    }
  }

  const consuming = (async () => {
    for await (const delivery of bus.consumeOutbound({
      gatewayId,
      concurrency,
      maxBatch: BATCH,
      signal: stopping.signal,
    })) {
      const work: Promise<void> = dispatch(delivery)
        .catch((error: unknown) =>
          logger.warn("A reply could not be settled; its lease will end.", { error: errorMessage(error) }),
        )
        .finally(() => working.delete(work));
      working.add(work);
    }
  })().catch((error: unknown) => logger.error("A dispatcher ended.", { error: errorMessage(error) }));

  return {
    async stop() {
      stopping.abort();
      await consuming;
      await Promise.allSettled(working);
    },
  };
}
