import { errorCode, errorMessage, HebraError } from "@hebra/core";
import type { Delivery } from "@hebra/bus";
import type { TurnHandle } from "../engine/handle.ts";
import type { Snapshot } from "../store/store.ts";
import { busyReply } from "./busy-reply.ts";
import { publishDeltas } from "./deltas.ts";
import { deliveryLease } from "./leases.ts";
import type { LegacyResult } from "./legacy-engine.ts";
import { listenForMore, routed, watched } from "./mid-turn.ts";
import { settledCount, type Taken } from "./taken.ts";
import { asJson, readInbound, type InboundPayload, type ReplyTo } from "./payloads.ts";
import { cutByBytes } from "./reply-pieces.ts";
import type { RuntimeServices } from "./services.ts";
import { insideTrace } from "./trace.ts";
import { triggerOf } from "./trigger-of.ts";
import { waitingNotice } from "./waiting.ts";

/** Milliseconds after which a conversation is tried again when what it needs is away, or not ready. */
const AWAY_DELAY_MS = 1_000;
/** Not the message's fault: it goes back without an attempt counted. */
const notItsFault = new Set([
  "UNREACHABLE",
  "TIMEOUT",
  "STORE_LOCKED",
  "CONTEXT_MIGRATING",
  "LOCK_TIMEOUT",
  "LOCK_LOST",
  "CLOSED",
  "VERSION_CONFLICT",
]);

/**
 * Works on one delivery: its turn runs under the delivery's fence, and the delivery is settled once the trigger is
 * stored
 * and its execution has ended, waits for a person, or waits behind one that does. Never throws.
 */
export async function handleDelivery(services: RuntimeServices, delivery: Delivery): Promise<void> {
  const { metrics, telemetry, logger, clock } = services;
  const startedAt = clock.monotonic();
  const waitedMs = clock.now() - delivery.messages[0]!.enqueuedAt;
  try {
    const outcome = await insideTrace(telemetry, delivery.messages[0]!.trace, () => workOn(services, delivery));
    metrics.turn(outcome.status, outcome.definition, clock.monotonic() - startedAt, waitedMs);
    metrics.delivered("inbound", "settled", delivery.attempt);
  } catch (error) {
    if (delivery.signal.aborted) {
      metrics.leaseLost();
      metrics.delivered("inbound", "lost", delivery.attempt);
      logger.warn("A lease was lost in mid-turn; whoever holds the conversation now goes on.", {
        code: errorCode(error) ?? null,
        fence: delivery.fence,
      });
      return;
    }
    metrics.givenBack(error);
    metrics.delivered("inbound", "given-back", delivery.attempt);
    await giveBack(services, delivery, error).catch((failed: unknown) =>
      logger.warn("A delivery could not be given back; its lease will end.", { error: errorMessage(failed) }),
    );
  }
}

async function workOn(services: RuntimeServices, delivery: Delivery): Promise<{ status: string; definition: string }> {
  const { store, engine, engineSwitch, handover, route } = services;
  const [first] = delivery.messages;
  const payload = readInbound(first!.payload);
  const lease = deliveryLease(delivery);
  const taken: Taken[] = [];
  let definition = "none";
  let stopDeltas = async () => {};

  if (payload.kind === "wake") {
    taken.push({ message: first!, executionId: undefined, refused: false, failure: undefined });
    await (engineSwitch === undefined
      ? engine.resume({ tenant: delivery.tenant, contextId: payload.contextId }, { lease })
      : engineSwitch.resume(delivery, payload.contextId, lease));
  } else {
    const message = routed(delivery, payload);
    const answer = await route(message);
    if ("answer" in answer)
      return answerOtherwise(
        services,
        delivery,
        payload.replyTo,
        await answer.answer(message, { fence: delivery.fence, signal: delivery.signal }),
      );
    definition = answer.thread;
    const address = { tenant: delivery.tenant, key: delivery.session };
    const trigger = triggerOf(message, payload.replyTo);
    const whenBusy = message.interrupt === true ? { whenBusy: "interrupt" as const } : {};
    let handle: TurnHandle;
    try {
      if (engineSwitch === undefined)
        handle = await engine.react(definition, trigger, {
          address,
          lease,
          betweenTurns: sendEarly(services, delivery),
          ...whenBusy,
        });
      else {
        const turn = await engineSwitch.begin({ tenure: delivery, lease, definition, trigger, ...whenBusy });
        if (turn.engine === "busy") throw turn.error;
        if (turn.engine === "legacy")
          return answerOtherwise(services, delivery, payload.replyTo, legacyTexts(services, await turn.result));
        handle = turn.handle;
      }
    } catch (error) {
      // A turn that waits for a person keeps its thread busy, and is nothing to wait for.
      if (errorCode(error) === "THREAD_BUSY") return answerBusy(services, delivery, payload, definition);
      throw error;
    }
    taken.push(watched(first!, handle));
    if (payload.replyTo.deltas) stopDeltas = publishDeltas(services, delivery, handle, payload.replyTo);
  }
  const more = listenForMore(services, delivery, taken);
  try {
    await lease.released;
  } finally {
    await more.stop();
    await stopDeltas();
  }
  // A turn that this process gave up tells its handle why a moment after it let go.
  await new Promise<void>((resolve) => setImmediate(resolve));
  if (delivery.signal.aborted)
    throw new HebraError("LEASE_LOST", "The lease ended before the turn did.", { cause: delivery.signal.reason });

  const snapshot = await store.load(
    delivery.tenant,
    payload.kind === "wake" ? { contextId: payload.contextId } : { key: delivery.session },
  );
  const count = settledCount(taken.slice(0, 1), snapshot) + (await settledBehind());
  if (count === 0) {
    const { failure } = taken[0]!;
    throw failure instanceof Error ? failure : stuck(snapshot);
  }
  const outbound = snapshot === undefined ? [] : handover.replies(snapshot);
  const notice = snapshot === undefined ? undefined : noticeOf(snapshot);
  await delivery.ack({ outbound: notice === undefined ? outbound : [...outbound, notice], count });
  services.carried.settled("inbound", delivery.messages.slice(0, count));
  if (snapshot !== undefined) handover.done(delivery.tenant, snapshot, delivery.fence);
  return { status: snapshot?.active === undefined ? "ended" : "waiting", definition };

  /** Only for a message that has no answer yet. */
  function noticeOf(settled: Snapshot) {
    const { executionId } = taken[0]!;
    if (payload.kind === "wake") return waitingNotice(services, delivery.tenant, settled);
    const isOpen =
      settled.active?.execution.id === executionId ||
      settled.queued.some(({ execution }) => execution.id === executionId);
    return isOpen
      ? waitingNotice(services, delivery.tenant, settled, { message: first!, replyTo: payload.replyTo })
      : undefined;
  }

  /** What came in mid-turn speaks to the thread's main line, also where a fork was woken. */
  async function settledBehind(): Promise<number> {
    if (taken.length === 1 || settledCount(taken.slice(0, 1), snapshot) === 0) return 0;
    const isFork = snapshot !== undefined && snapshot.thread.mainContextId !== snapshot.context.id;
    return settledCount(
      taken.slice(1),
      isFork ? await store.load(delivery.tenant, { key: delivery.session }) : snapshot,
    );
  }
}

/**
 * Sends what ended turns have to say while further turns of the conversation run under the same delivery. Its ack sends
 * it again under the same ids, which the bus drops.
 */
function sendEarly({ store, bus, handover, logger }: RuntimeServices, delivery: Delivery): () => Promise<void> {
  const { tenant, session } = delivery;
  const sent = new Set<string>();
  return async () => {
    try {
      const snapshot = await store.load(tenant, { key: session });
      const replies = snapshot === undefined ? [] : handover.replies(snapshot).filter(({ id }) => !sent.has(id ?? ""));
      if (replies.length === 0) return;
      await bus.publishOutbound(replies.map((reply) => ({ ...reply, tenant, session })));
      for (const { id = "" } of replies) sent.add(id);
    } catch (error) {
      logger.debug("Replies of an ended turn wait for the next one.", { error: errorMessage(error) });
    }
  };
}

async function answerBusy(
  services: RuntimeServices,
  delivery: Delivery,
  { replyTo }: Extract<InboundPayload, { kind: "message" }>,
  definition: string,
): Promise<{ status: string; definition: string }> {
  const reply = busyReply(services, delivery.messages[0]!, replyTo);
  await delivery.ack(reply === undefined ? {} : { outbound: [reply] });
  services.carried.settled("inbound", delivery.messages);
  return { status: "busy", definition };
}

const legacyTexts = ({ failureText }: RuntimeServices, { status, texts }: LegacyResult): readonly string[] =>
  status === "failed" && texts.length === 0 && failureText !== "" ? [failureText] : texts;

async function answerOtherwise(
  services: RuntimeServices,
  delivery: Delivery,
  replyTo: ReplyTo,
  texts: readonly string[],
): Promise<{ status: string; definition: string }> {
  const { id, trace } = delivery.messages[0]!;
  const outbound = texts.flatMap((whole, index) =>
    cutByBytes(whole.toWellFormed(), services.maxReplyBytes).map((text, place, all) => ({
      id: place === 0 ? `${id}:${index}` : `${id}:${index}/${place}`,
      gatewayId: replyTo.gatewayId,
      seq: index,
      ...(trace === undefined ? {} : { trace }),
      payload: asJson({
        kind: "reply",
        replyTo,
        text,
        index,
        ...(all.length === 1 ? {} : { piece: { index: place, count: all.length } }),
      }),
    })),
  );
  await delivery.ack({ outbound });
  services.carried.settled("inbound", delivery.messages);
  return { status: "ended", definition: "other" };
}

async function giveBack(services: RuntimeServices, delivery: Delivery, error: unknown): Promise<void> {
  const { store, bus, logger } = services;
  const code = errorCode(error);
  if (code === "STALE_FENCE") {
    // The bus lost count of the fences, as after a switch of backends: the store's last one is the floor.
    const snapshot = await store.load(delivery.tenant, { key: delivery.session });
    await bus.seedFence(
      { tenant: delivery.tenant, session: delivery.session },
      snapshot?.context.fence ?? delivery.fence,
    );
    return delivery.release();
  }
  if (code !== undefined && notItsFault.has(code))
    return delivery.release({ delayMs: code === "CLOSED" ? 0 : AWAY_DELAY_MS });
  logger.warn("A message could not be worked on.", {
    code: code ?? null,
    error: errorMessage(error),
    attempt: delivery.attempt,
  });
  return delivery.nack({ error });
}

function stuck(snapshot: Snapshot | undefined): HebraError {
  const definition = snapshot?.active?.execution.definition ?? snapshot?.queued[0]?.execution.definition ?? "unknown";
  return new HebraError(
    "DEFINITION_MISSING",
    `A turn of the definition ${definition} did not end here. Another process may have it.`,
    { details: { definition } },
  );
}
