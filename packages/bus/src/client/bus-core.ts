import type { Clock, IdGenerator } from "@hebra/core";
import { lockKey } from "@hebra/lock";
import type { Backend, Space } from "../backend.ts";
import type { ReceivedMessage } from "../bus.ts";
import type { BusEvent } from "./bus-events.ts";
import type { BusSettings } from "../bus-options.ts";
import type { Body, Decoded, Envelope, EnvelopeCodec } from "../envelope.ts";
import type { HeldConversation, LeaseKeeper } from "./lease-keeper.ts";

/** What the parts of one bus share. */
export interface BusCore {
  readonly backend: Backend;
  readonly settings: BusSettings;
  readonly codec: EnvelopeCodec;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  /** This instance, in leases and notices. */
  readonly holder: string;
  readonly keeper: LeaseKeeper<HeldConversation>;
  /** Who hears notices, by space and conversation. */
  readonly watchers: Map<string, Set<(interrupt: boolean) => void>>;
  /** What a publish does that did not reach the durability asked for, unless it says otherwise. */
  readonly onDurabilityMissed: "accept" | "refuse";
  /** Everything held, for drain. */
  readonly held: ReadonlySet<HeldConversation>;
  /** Absent when nobody listens: what would be told is then not even made. */
  readonly emit: ((event: BusEvent) => void) | undefined;
  /** Publishes as the `overflow` policy says. */
  readonly publish: Backend["publish"];
  /** A message of a newer version was met: this process is not fit to serve. */
  upgradeRequired(version: number): void;
}

/** The name of inbound's space. */
export const INBOUND: Space = "in";

/** The name of a gateway's space. */
export function outboundSpace(gatewayId: string): Space {
  return `out:${gatewayId}`;
}

/** The gateway of a space. */
export function gatewayOf(space: Space): string {
  return space.slice("out:".length);
}

/** The direction of a space. */
export function directionOf(space: Space): "inbound" | "outbound" {
  return space === INBOUND ? "inbound" : "outbound";
}

/** Lets a listener hear notices about a conversation. @returns ends it */
export function listen(
  core: BusCore,
  space: Space,
  conversation: string,
  listener: (interrupt: boolean) => void,
): () => void {
  const key = `${space}\n${conversation}`;
  const listeners = core.watchers.get(key) ?? new Set();
  core.watchers.set(key, listeners.add(listener));
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && core.watchers.get(key) === listeners) core.watchers.delete(key);
  };
}

/** A message as its consumer sees it. */
export function received(envelope: Envelope, attempt: number): ReceivedMessage {
  const { id, tenant, session, idempotencyKey, enqueuedAt, interrupt, payload, seq, trace } = envelope;
  if (seq === undefined && trace === undefined)
    return { id, tenant, session, idempotencyKey, enqueuedAt, attempt, interrupt, payload };
  return {
    id,
    tenant,
    session,
    idempotencyKey,
    enqueuedAt,
    attempt,
    interrupt,
    ...(seq === undefined ? {} : { seq }),
    ...(trace === undefined ? {} : { trace }),
    payload,
  };
}

/** A conversation's key: `lockKey`'s, which for most names changes nothing. */
export function conversationKey(tenant: string, session: string): string {
  return needsEscape.test(session) || needsEscape.test(tenant) ? lockKey(tenant, session) : `${tenant}/${session}`;
}
const needsEscape = /[%/]/;

/** Decodes from the first body on, up to the first that cannot be read. */
export function decodeAll(
  codec: EnvelopeCodec,
  bodies: readonly Body[],
  firstAttempt: number,
): { messages: ReceivedMessage[]; stopped: Decoded | undefined } {
  const messages: ReceivedMessage[] = [];
  for (const body of bodies) {
    const decoded = codec.decode(body);
    if (decoded.kind !== "envelope") return { messages, stopped: decoded };
    messages.push(received(decoded.envelope, messages.length === 0 ? firstAttempt : 1));
  }
  return { messages, stopped: undefined };
}

/** The parts of a conversation's key. */
export function parseConversation(conversation: string): { tenant: string; session: string } {
  const [tenant = "", session = ""] = conversation
    .split("/")
    .map((part) => part.replaceAll("%2F", "/").replaceAll("%25", "%"));
  return { tenant, session };
}
