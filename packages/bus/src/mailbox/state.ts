import { Deque } from "./deque.ts";
import { createDueHeap, type Due, type DueHeap } from "./due-heap.ts";
import type { Body } from "../envelope.ts";

/** The two lanes of ready conversations. */
export type LaneName = "normal" | "high";

/** What a tenant may use. Whole numbers, so that every backend counts alike. */
export interface TenantLimits {
  /** Conversations served in a row before the next tenant's turn. */
  readonly weight: number;
  /** Conversations on lease at once. */
  readonly maxInFlight?: number | undefined;
  /** Deliveries a minute. */
  readonly perMinute?: number | undefined;
  /** Deliveries that may come at once after a pause. */
  readonly burst: number;
}

/**
 * A mailbox that is not empty, and its conversation. It is in exactly one of two places: in a lane (`dueAt` is then
 * `undefined` by way of `heapIndex` -1) or in the `due` heap, which holds leases, delays and parked ones alike.
 */
export interface Conversation extends Due {
  readonly kind: "conversation";
  readonly key: string;
  readonly tenant: string;
  /** Envelopes, and call tickets among them. */
  readonly entries: Deque<Body>;
  /** The lease's fence; 0 when there is no lease. */
  fence: number;
  /** How many entries, from the head, are on lease. */
  leased: number;
  /** Deliveries of the first message so far. */
  attempts: number;
  /** How many messages, from the head, were part of a delivery that failed: they go out one at a time. */
  redeliveries: number;
  /** Who gets the notices. */
  holder: string;
  /** Served from the fast lane when it next becomes ready. */
  high: boolean;
  /** Whether there may be tickets among the entries. */
  tickets: boolean;
  /** Whether the lease belongs to the ticket at the head. */
  granted: boolean;
  /** Whether the holder wants to know of more. */
  watched: boolean;
  /** How often its lease ran out without an answer since its holder last answered: above 0 it is a suspect. */
  crashes: number;
  /** Whether it is on lease as the one suspect of its holder. */
  onTrial: boolean;
  /** The dead letter that stopped the conversation; empty when it is not parked. */
  parkedBy: string;
}

/** A message for later. */
export interface Scheduled extends Due {
  readonly kind: "scheduled";
  /** Conversation and message id. */
  readonly key: string;
  readonly conversation: string;
  readonly body: Body;
  readonly high: boolean;
  readonly interrupt: boolean;
}

/** A tenant with ready conversations that must not be served now. */
export interface ParkedTenant extends Due {
  readonly kind: "tenant";
  readonly lane: LaneName;
  readonly tenant: string;
}

/** Ready conversations: tenants take turns, the conversations of one are first come, first served. */
export interface Lane {
  readonly ring: Deque<string>;
  readonly ready: Map<string, Deque<Conversation>>;
}

/** Everything of one direction. */
export interface SpaceState {
  readonly name: string;
  readonly conversations: Map<string, Conversation>;
  /** All that waits for a time: leases, delays, messages for later, tenants that must not be served yet. */
  readonly due: DueHeap<Conversation | Scheduled | ParkedTenant>;
  readonly lanes: Record<LaneName, Lane>;
  /** Conversations served from the fast lane since one of the normal lane was. */
  highRun: number;
  /** Kept counts: messages in mailboxes, conversations on lease, conversations parked. */
  readonly counts: { depth: number; leased: number; parked: number };
  /** Conversations that wait for a trial. */
  readonly suspects: Map<string, Conversation>;
  readonly parkedTenants: Map<string, ParkedTenant>;
  readonly scheduled: Map<string, Scheduled>;
  /** Leases of the tenants that have a cap, with their deadlines. */
  readonly leasesOfTenant: Map<string, Map<string, number>>;
  /** Token buckets of the tenants that have a rate: 60 000 units are one delivery. */
  readonly buckets: Map<string, { units: number; at: number }>;
  /** What is left of a tenant's turn, when it was broken off. */
  readonly credits: Map<string, number>;
}

const lane = (): Lane => ({ ring: new Deque(), ready: new Map() });

/** A space with nothing in it. */
export function createSpace(name: string): SpaceState {
  return {
    name,
    conversations: new Map(),
    due: createDueHeap(),
    lanes: { normal: lane(), high: lane() },
    highRun: 0,
    counts: { depth: 0, leased: 0, parked: 0 },
    suspects: new Map(),
    parkedTenants: new Map(),
    scheduled: new Map(),
    leasesOfTenant: new Map(),
    buckets: new Map(),
    credits: new Map(),
  };
}

/** A conversation that has just received its first entry. */
export function createConversation(key: string): Conversation {
  return {
    kind: "conversation",
    key,
    dueKey: `c${key}`,
    tenant: tenantOf(key),
    entries: new Deque(),
    dueAt: 0,
    heapIndex: -1,
    fence: 0,
    leased: 0,
    attempts: 0,
    redeliveries: 0,
    holder: "",
    high: false,
    tickets: false,
    granted: false,
    watched: false,
    crashes: 0,
    onTrial: false,
    parkedBy: "",
  };
}

/** Milliseconds until something becomes due; nothing when nothing does by itself. */
export function nextDue(space: SpaceState, now: number): number | undefined {
  const earliest = space.due.peek()?.dueAt ?? Infinity;
  return earliest === Infinity ? undefined : Math.max(0, earliest - now);
}

/** Conversations that nobody holds and that wait for a time. */
export function inRetry(space: SpaceState): Conversation[] {
  return [...space.conversations.values()].filter(
    ({ leased, parkedBy, heapIndex }) => leased === 0 && parkedBy === "" && heapIndex >= 0,
  );
}

/**
 * Whether a conversation could be handed out now. A lease or a delay that is over counts although nobody has looked
 * since; a
 * tenant that must not be served yet does not.
 */
export function isWaiting(space: SpaceState, { heapIndex, dueAt, high, tenant }: Conversation, now: number): boolean {
  if (heapIndex >= 0) return dueAt <= now;
  const parked = space.parkedTenants.get(`${high ? "high" : "normal"}:${tenant}`);
  return parked === undefined || parked.dueAt <= now;
}

/** The tenant's part of a conversation's key, as it is encoded there. */
export function tenantOf(conversation: string): string {
  return conversation.slice(0, conversation.indexOf("/"));
}

/** Begins every ticket; no envelope begins so. */
const TICKET_MARK = "\u0001";

/** A ticket as it lies in a mailbox. */
export function ticketText(ttlMs: number, holder: string, ticket: string): string {
  return `${TICKET_MARK}${ttlMs}:${holder}:${ticket}`;
}

/** Whether an entry of a mailbox is a ticket, not an envelope. */
export function isTicket(entry: Body | undefined): entry is string {
  return typeof entry === "string" && entry.startsWith(TICKET_MARK);
}

/** How far a holder that begins to listen looks for a message that interrupts. */
const LOOK_AHEAD = 64;

/**
 * Whether a message that interrupts came before its holder listened. A payload that reads like one makes the holder
 * look, no more.
 */
export function oneInterrupts({ entries, leased }: Conversation): boolean {
  for (let at = leased; at < Math.min(entries.length, leased + LOOK_AHEAD); at++) {
    const body = entries.at(at)!;
    if (typeof body === "string" ? body.includes('"interrupt":true') : body.interrupt) return true;
  }
  return false;
}

/** The parts of a ticket. */
export function parseTicket(text: string): { ttlMs: number; holder: string; ticket: string } {
  const [ttl, holder, ticket] = text.slice(1).split(":");
  return { ttlMs: Number(ttl), holder: holder!, ticket: ticket! };
}
