import { errorCode, errorMessage, HebraError } from "@hebra/core";
import type { Delivery, ReceivedMessage } from "@hebra/bus";
import type { BusyPolicy } from "../definition/policy.ts";
import type { TurnHandle } from "../engine/handle.ts";
import type { Trigger } from "../engine/trigger.ts";
import type { Snapshot } from "../store/store.ts";
import { publishDeltas } from "./deltas.ts";
import { deliveryLease } from "./leases.ts";
import { asJson, readInbound, type InboundPayload, type ReplyTo } from "./payloads.ts";
import type { RoutedMessage } from "./route.ts";
import type { RuntimeServices } from "./services.ts";

/** Milliseconds after which a conversation is tried again when what it needs is away, or not ready. */
const AWAY_DELAY_MS = 1_000;
/** Not the message's fault: it goes back without an attempt counted. */
const notItsFault = new Set(["UNREACHABLE", "TIMEOUT", "STORE_LOCKED", "CONTEXT_MIGRATING", "LOCK_TIMEOUT", "LOCK_LOST", "CLOSED", "VERSION_CONFLICT"]);

/** A message of a delivery and the turn that it began, joined, or had begun before. */
interface Taken {
  message: ReceivedMessage;
  executionId: string | undefined;
  failure: unknown;
}

/**
 * Works on one delivery: its turn runs under the delivery's fence, and the delivery is settled once the trigger is stored
 * and its execution has ended, waits for a person, or waits behind one that does. Never throws.
 */
export async function handleDelivery(services: RuntimeServices, delivery: Delivery): Promise<void> {
  const { metrics, logger, clock } = services;
  const startedAt = clock.monotonic();
  const waitedMs = clock.now() - delivery.messages[0]!.enqueuedAt;
  try {
    const outcome = await workOn(services, delivery);
    metrics.turn(outcome.status, outcome.definition, clock.monotonic() - startedAt, waitedMs);
  } catch (error) {
    if (delivery.signal.aborted) {
      metrics.leaseLost();
      logger.warn("A lease was lost in mid-turn; whoever holds the conversation now goes on.", { code: errorCode(error) ?? null, fence: delivery.fence });
      return;
    }
    metrics.givenBack(error);
    await giveBack(services, delivery, error).catch((failed: unknown) => logger.warn("A delivery could not be given back; its lease will end.", { error: errorMessage(failed) }));
  }
}

async function workOn(services: RuntimeServices, delivery: Delivery): Promise<{ status: string; definition: string }> {
  const { store, engine, handover, route } = services;
  const payload = readInbound(delivery.messages[0]!.payload);
  const address = { tenant: delivery.tenant, key: delivery.session };
  const lease = deliveryLease(delivery);
  const taken: Taken[] = [];
  let definition = "none";
  let stopListening = () => {};
  let stopDeltas = async () => {};

  if (payload.kind === "wake") {
    taken.push({ message: delivery.messages[0]!, executionId: undefined, failure: undefined });
    await engine.resume({ tenant: delivery.tenant, contextId: payload.contextId }, { lease });
  } else {
    const message = routed(delivery, payload);
    const answer = await route(message);
    if ("answer" in answer) return answerOtherwise(delivery, payload.replyTo, await answer.answer(message, { fence: delivery.fence, signal: delivery.signal }));
    definition = answer.thread;
    const policy = services.threads.find(({ name }) => name === answer.thread)?.policy.whenBusy ?? "queue";
    const handle = await engine.react(answer.thread, triggerOf(message, payload.replyTo), { address, lease, ...(message.interrupt === true ? { whenBusy: "interrupt" as const } : {}) });
    taken.push(watched(delivery.messages[0]!, handle));
    if (payload.replyTo.deltas) stopDeltas = publishDeltas(services, delivery, handle, payload.replyTo);
    stopListening = takeMore(services, delivery, policy, taken);
  }
  try {
    await lease.released;
  } finally {
    stopListening();
    await stopDeltas();
  }
  // A turn that this process gave up tells its handle why a moment after it let go.
  await new Promise<void>((resolve) => setImmediate(resolve));
  if (delivery.signal.aborted) throw new HebraError("LEASE_LOST", "The lease ended before the turn did.", { cause: delivery.signal.reason });

  const snapshot = await store.load(delivery.tenant, payload.kind === "wake" ? { contextId: payload.contextId } : { key: delivery.session });
  const settled = taken.findIndex(({ executionId }) => !isSettled(snapshot, executionId));
  const count = settled === -1 ? taken.length : settled;
  if (count === 0) {
    const { failure } = taken[0]!;
    throw failure instanceof Error ? failure : stuck(snapshot);
  }
  const outbound = snapshot === undefined ? [] : handover.replies(snapshot);
  await delivery.ack({ outbound, count });
  if (snapshot !== undefined) handover.done(delivery.tenant, snapshot, delivery.fence);
  return { status: snapshot?.active === undefined ? "ended" : "waiting", definition };
}

/** Further messages of the conversation reach the turn while it runs, where its policy wants them to. */
function takeMore(services: RuntimeServices, delivery: Delivery, policy: BusyPolicy, taken: Taken[]): () => void {
  const { engine, logger } = services;
  let taking = Promise.resolve();
  // Messages are settled from the first on: behind one that could not be taken, none may be.
  let broken = false;
  const take = async (interrupt: boolean) => {
    if (broken || ((policy === "queue" || policy === "reject") && !interrupt)) return;
    for (const message of await delivery.take({ max: 16 })) {
      const payload = readInbound(message.payload);
      if (payload.kind === "wake") {
        taken.push({ message, executionId: undefined, failure: undefined });
        continue;
      }
      const input = routed(delivery, payload);
      const answer = await services.route(input);
      if ("answer" in answer) throw new HebraError("UNSUPPORTED", "A session was routed to another engine while a turn of this one ran; the message is delivered again after it.");
      const whenBusy = input.interrupt === true ? "interrupt" : policy;
      const handle = await engine.react(answer.thread, triggerOf(input, payload.replyTo), { address: { tenant: delivery.tenant, key: delivery.session }, whenBusy });
      taken.push(watched(message, handle));
    }
  };
  return delivery.onMore(({ interrupt }) => {
    taking = taking.then(() => take(interrupt)).catch((error: unknown) => {
      broken = true;
      logger.debug("Messages that came in mid-turn wait for the next one.", { error: errorMessage(error) });
    });
  });
}

async function answerOtherwise(delivery: Delivery, replyTo: ReplyTo, texts: readonly string[]): Promise<{ status: string; definition: string }> {
  const { id } = delivery.messages[0]!;
  const outbound = texts.map((text, index) => ({ id: `${id}:${index}`, gatewayId: replyTo.gatewayId, seq: index, payload: asJson({ kind: "reply", replyTo, text, index }) }));
  await delivery.ack({ outbound });
  return { status: "ended", definition: "other" };
}

async function giveBack(services: RuntimeServices, delivery: Delivery, error: unknown): Promise<void> {
  const { store, bus, logger } = services;
  const code = errorCode(error);
  if (code === "STALE_FENCE") {
    // The bus lost count of the fences, as after a switch of backends: the store's last one is the floor.
    const snapshot = await store.load(delivery.tenant, { key: delivery.session });
    await bus.seedFence({ tenant: delivery.tenant, session: delivery.session }, snapshot?.context.fence ?? delivery.fence);
    return delivery.release();
  }
  if (code !== undefined && notItsFault.has(code)) return delivery.release({ delayMs: code === "CLOSED" ? 0 : AWAY_DELAY_MS });
  logger.warn("A message could not be worked on.", { code: code ?? null, error: errorMessage(error), attempt: delivery.attempt });
  return delivery.nack({ error });
}

/** Nothing more is to be done for an execution that ended, waits for people, or is in line behind one that does. */
function isSettled(snapshot: Snapshot | undefined, executionId: string | undefined): boolean {
  if (snapshot === undefined) return true;
  const { active, queued } = snapshot;
  if (active?.execution.status === "waiting") return true;
  if (executionId === undefined) return active === undefined && queued.length === 0;
  return active?.execution.id !== executionId && !queued.some(({ execution }) => execution.id === executionId);
}

function stuck(snapshot: Snapshot | undefined): HebraError {
  const definition = snapshot?.active?.execution.definition ?? snapshot?.queued[0]?.execution.definition ?? "unknown";
  return new HebraError("DEFINITION_MISSING", `A turn of the definition ${definition} did not end here. Another process may have it.`, { details: { definition } });
}

function watched(message: ReceivedMessage, handle: TurnHandle): Taken {
  const entry: Taken = { message, executionId: handle.executionId, failure: undefined };
  handle.result.catch((error: unknown) => (entry.failure = error));
  return entry;
}

const routed = (delivery: Delivery, { message, replyTo }: Extract<InboundPayload, { kind: "message" }>): RoutedMessage => ({
  ...message,
  tenant: delivery.tenant,
  session: delivery.session,
  channel: replyTo.channel,
});

/** What the engine is given of a message. */
export function triggerOf(message: RoutedMessage, replyTo: ReplyTo): Trigger {
  const { id, channel, text, parts, metadata, sender } = message;
  return {
    id: `${channel}:${id}`,
    channel,
    ...(text === undefined ? {} : { text }),
    ...(parts === undefined ? {} : { parts }),
    metadata: { ...metadata, ...(sender === undefined ? {} : { sender: asJson(sender) }) },
    correlation: { replyTo: asJson(replyTo) },
  };
}

