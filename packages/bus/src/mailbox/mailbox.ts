import type {
  Entry,
  EntryStatus,
  ExchangeReply,
  ExchangeRequest,
  RawLease,
  Settle,
  Space,
  TicketReply,
  TicketRequest,
} from "../backend.ts";
import { textOf, type Body } from "../envelope.ts";
import { createDedupWindow, type DedupWindow } from "./dedup.ts";
import { createMorgue, type Morgue } from "./dead-letter-store.ts";
import { countLease, enterLane, hasReady, serve, uncountLease, unpark, type LimitsOf } from "./lanes.ts";
import {
  createConversation,
  createSpace,
  inRetry,
  isTicket,
  nextDue,
  oneInterrupts,
  parseTicket,
  ticketText,
  type Conversation,
  type Scheduled,
  type SpaceState,
} from "./state.ts";

/** What the state machine is told once. */
export interface MailboxSettings {
  /** Messages that a conversation may hold. */
  readonly maxBacklog: number;
  /** What happens to one more: it is refused, or the oldest that is not on lease goes to the dead letters. */
  readonly overflow: "reject" | "drop-oldest";
  /** How long duplicates are recognised, at least. */
  readonly dedupWindowMs: number;
  /** Dead letters kept. */
  readonly maxDeadLetters: number;
  readonly limitsOf: LimitsOf;
}

/** News that come out of a step. */
export interface MailboxNews {
  ready(space: Space): void;
  notice(holder: string, space: Space, conversation: string, interrupt: boolean): void;
}

/** At most this many things become due in one step, so that no step takes long. */
const PROMOTE = 100;

/**
 * The meaning of the bus, as a pure state machine: every step is synchronous, takes the time in milliseconds and does
 * no
 * input or output. The local bus runs on it; the Redis scripts are held against it step by step.
 *
 * The invariant: a mailbox is not empty ⇔ its conversation is in exactly one of {lane, due}.
 */
export interface Mailboxes {
  publish(space: Space, entries: readonly Entry[], now: number): EntryStatus[];
  exchange(request: ExchangeRequest, now: number): ExchangeReply;
  extend(
    space: Space,
    leases: readonly { conversation: string; fence: number }[],
    leaseMs: number,
    now: number,
  ): boolean[];
  take(space: Space, lease: { conversation: string; fence: number; have: number; max: number }): Body[] | undefined;
  ticket(request: TicketRequest, now: number): TicketReply;
  cancelTicket(conversation: string, ticket: string, now: number): void;
  unschedule(entry: { conversation: string; id: string; dedupKey: string }): boolean;
  hurry(now: number): number;
  seedFence(fence: number): void;
  replayDead(id: string, body: string, now: number): boolean;
  discardDead(id: string, now: number): boolean;
  readonly dead: Morgue;
  readonly spaces: ReadonlyMap<Space, SpaceState>;
}

/** Empty mailboxes. */
export function createMailboxes(settings: MailboxSettings, news: MailboxNews): Mailboxes {
  const spaces = new Map<Space, SpaceState>();
  const dedup: DedupWindow = createDedupWindow(settings.dedupWindowMs);
  const dead = createMorgue(settings.maxDeadLetters);
  const tickets = new Map<string, number>();
  let lastFence = 0;

  const spaceOf = (name: Space): SpaceState => {
    let space = spaces.get(name);
    if (space === undefined) spaces.set(name, (space = createSpace(name)));
    return space;
  };
  const nextFence = (now: number) => (lastFence = Math.max(lastFence + 1, Math.floor(now * 1000)));
  const limitsFor = (conversation: Conversation) => settings.limitsOf?.(conversation.tenant);

  /** The conversation is held by nobody and waits for nothing: into its lane, or straight to the ticket at its head. */
  const makeReady = (space: SpaceState, conversation: Conversation, now: number): void => {
    for (
      let head = conversation.entries.at(0);
      conversation.tickets && isTicket(head);
      head = conversation.entries.at(0)
    ) {
      const { ticket, holder, ttlMs } = parseTicket(head);
      const aliveUntil = tickets.get(ticket);
      tickets.delete(ticket);
      if (aliveUntil !== undefined && aliveUntil > now) {
        conversation.fence = nextFence(now);
        conversation.leased = 1;
        conversation.granted = true;
        conversation.holder = holder;
        space.due.set(conversation, now + ttlMs);
        countLease(space, conversation, now + ttlMs, limitsFor(conversation));
        news.notice(holder, space.name, conversation.key, false);
        return;
      }
      conversation.entries.shift();
    }
    if (conversation.entries.length === 0) return void space.conversations.delete(conversation.key);
    enterLane(space, conversation);
    news.ready(space.name);
  };

  const removeHead = (conversation: Conversation, count: number) => {
    for (let i = 0; i < count; i++) conversation.entries.shift();
    conversation.suspects = Math.max(0, conversation.suspects - count);
    conversation.attempts = conversation.suspects > 0 ? 1 : 0;
  };

  /** The lease is over, whatever it was; the caller decides where the conversation goes. */
  const endLease = (space: SpaceState, conversation: Conversation) => {
    uncountLease(space, conversation, limitsFor(conversation));
    space.due.remove(conversation);
    conversation.fence = 0;
    conversation.leased = 0;
    conversation.holder = "";
    conversation.granted = false;
    conversation.watched = false;
  };

  const goOn = (space: SpaceState, conversation: Conversation, delayMs: number, now: number) => {
    if (delayMs > 0) space.due.set(conversation, now + delayMs);
    else makeReady(space, conversation, now);
  };

  /** A delivery failed, or its lease ran out: its messages are suspects, and a ticket has had its chance. */
  const failLease = (space: SpaceState, conversation: Conversation) => {
    let leased = conversation.leased;
    if (conversation.granted) {
      conversation.entries.shift();
      leased--;
      conversation.attempts = leased > 0 ? 1 : 0;
    }
    conversation.suspects = Math.max(conversation.suspects, leased);
    endLease(space, conversation);
  };

  const append = (
    space: SpaceState,
    entry: { conversation: string; body: Body; high: boolean; interrupt: boolean },
    now: number,
  ) => {
    let conversation = space.conversations.get(entry.conversation);
    if (conversation === undefined) {
      conversation = createConversation(entry.conversation);
      conversation.high = entry.high;
      space.conversations.set(entry.conversation, conversation);
      conversation.entries.push(entry.body);
      makeReady(space, conversation, now);
      return;
    }
    conversation.entries.push(entry.body);
    if (entry.high) conversation.high = true;
    if (conversation.watched) news.notice(conversation.holder, space.name, entry.conversation, entry.interrupt);
  };

  /** Makes room in a full mailbox by giving up the oldest message that nobody holds. */
  const dropOldest = (space: SpaceState, conversation: Conversation, now: number): boolean => {
    const first = conversation.parkedBy === "" ? conversation.leased : 1;
    for (let i = first; i < Math.min(conversation.entries.length, first + 16); i++) {
      const body = conversation.entries.at(i)!;
      if (isTicket(body)) continue;
      // A ready conversation has a message at its head, never a ticket.
      if (i === 0 && isTicket(conversation.entries.at(1))) continue;
      conversation.entries.removeAt(i);
      const attempts = i === 0 ? conversation.attempts : i < conversation.suspects ? 1 : 0;
      if (i < conversation.suspects) conversation.suspects--;
      if (i === 0) conversation.attempts = conversation.suspects > 0 ? 1 : 0;
      dead.add({
        space: space.name,
        conversation: conversation.key,
        body: textOf(body),
        cause: "overflow",
        attempts,
        signature: "",
        at: now,
        parked: false,
      });
      return true;
    }
    return false;
  };

  const publishOne = (space: SpaceState, entry: Entry, capped: boolean, now: number): EntryStatus => {
    const dedupKey =
      entry.dedupKey === undefined ? undefined : `${space.name}\n${entry.conversation}\n${entry.dedupKey}`;
    if (dedupKey !== undefined && dedup.has(dedupKey, now)) return "duplicate";
    if (entry.delayMs > 0) {
      const key = `${entry.conversation}\n${entry.id}`;
      if (space.scheduled.has(key)) return "duplicate";
      const scheduled: Scheduled = {
        kind: "scheduled",
        key,
        dueKey: `s${key}`,
        conversation: entry.conversation,
        body: entry.body,
        high: entry.high,
        interrupt: entry.interrupt,
        dueAt: 0,
        heapIndex: -1,
      };
      space.scheduled.set(key, scheduled);
      space.due.set(scheduled, now + entry.delayMs);
      news.ready(space.name);
    } else {
      const conversation = space.conversations.get(entry.conversation);
      if (capped && conversation !== undefined && conversation.entries.length >= settings.maxBacklog) {
        if (settings.overflow === "reject" || !dropOldest(space, conversation, now)) return "full";
      }
      append(space, entry, now);
    }
    if (dedupKey !== undefined) dedup.add(dedupKey, now);
    return "accepted";
  };

  const promote = (space: SpaceState, now: number) => {
    for (let i = 0; i < PROMOTE; i++) {
      const first = space.due.peek();
      if (first === undefined || first.dueAt > now) return;
      space.due.remove(first);
      if (first.kind === "tenant") {
        unpark(space, first.lane, first.tenant);
      } else if (first.kind === "scheduled") {
        space.scheduled.delete(first.key);
        append(space, first, now);
      } else {
        if (first.leased > 0) failLease(space, first);
        makeReady(space, first, now);
      }
    }
  };

  /**
   * Takes a dead letter away: with a body its message goes back, or its conversation goes on with it; else it is gone.
   */
  const settleDead = (id: string, now: number, body?: string): boolean => {
    const letter = dead.get(id);
    if (letter === undefined) return false;
    dead.remove(id);
    const space = spaceOf(letter.space);
    if (!letter.parked) {
      if (body !== undefined)
        append(space, { conversation: letter.conversation, body, high: false, interrupt: false }, now);
      return true;
    }
    const conversation = space.conversations.get(letter.conversation);
    if (conversation?.parkedBy !== id) return true;
    conversation.parkedBy = "";
    space.due.remove(conversation);
    if (body === undefined) removeHead(conversation, 1);
    else conversation.attempts = 0;
    makeReady(space, conversation, now);
    return true;
  };

  const settleOne = (space: SpaceState, settle: Settle, now: number): number => {
    const conversation = space.conversations.get(settle.conversation);
    if (conversation === undefined || conversation.fence !== settle.fence) return -1;
    switch (settle.kind) {
      case "ack":
        removeHead(conversation, Math.min(settle.count, conversation.leased));
        endLease(space, conversation);
        for (const reply of settle.replies) publishOne(spaceOf(reply.space), reply, false, now);
        makeReady(space, conversation, now);
        return 0;
      case "retry":
        failLease(space, conversation);
        goOn(space, conversation, settle.delayMs, now);
        return 0;
      case "release":
        if (conversation.granted) conversation.entries.shift();
        else conversation.attempts--;
        endLease(space, conversation);
        if (conversation.entries.length === 0) space.conversations.delete(conversation.key);
        else goOn(space, conversation, settle.delayMs, now);
        return 0;
      case "dead":
        if (settle.together) conversation.suspects = Math.max(conversation.suspects, conversation.leased);
        dead.add({
          ...settle.record,
          space: space.name,
          conversation: conversation.key,
          body: textOf(conversation.entries.at(0)!),
          at: now,
          parked: false,
        });
        removeHead(conversation, 1);
        endLease(space, conversation);
        makeReady(space, conversation, now);
        return 0;
      case "park":
        conversation.parkedBy = dead.add({
          ...settle.record,
          space: space.name,
          conversation: conversation.key,
          body: textOf(conversation.entries.at(0)!),
          at: now,
          parked: true,
        });
        failLease(space, conversation);
        space.due.set(conversation, Infinity);
        return 0;
      case "watch": {
        conversation.watched = true;
        if (conversation.suspects > conversation.leased) return 0;
        if (oneInterrupts(conversation)) news.notice(conversation.holder, space.name, conversation.key, true);
        return conversation.entries.length - conversation.leased;
      }
    }
  };

  const leaseOne = (space: SpaceState, conversation: Conversation, request: ExchangeRequest, now: number): RawLease => {
    const limit = conversation.suspects > 0 ? 1 : request.perConversation;
    const bodies: Body[] = [];
    for (let i = 0; i < limit && i < conversation.entries.length; i++) {
      const body = conversation.entries.at(i)!;
      if (conversation.tickets && isTicket(body)) break;
      bodies.push(body);
    }
    conversation.attempts++;
    conversation.fence = nextFence(now);
    conversation.leased = bodies.length;
    conversation.holder = request.holder;
    conversation.high = false;
    space.due.set(conversation, now + request.leaseMs);
    countLease(space, conversation, now + request.leaseMs, limitsFor(conversation));
    return { conversation: conversation.key, fence: conversation.fence, attempt: conversation.attempts, bodies };
  };

  const held = (space: SpaceState, conversation: string, fence: number): Conversation | undefined => {
    const found = space.conversations.get(conversation);
    return found !== undefined && found.fence === fence && fence > 0 ? found : undefined;
  };

  return {
    dead,
    spaces,
    publish(name, entries, now) {
      const space = spaceOf(name);
      return entries.map((entry) => publishOne(space, entry, true, now));
    },
    exchange(request, now) {
      const space = spaceOf(request.space);
      const settled = request.settles.map((settle) => settleOne(space, settle, now));
      const leases: RawLease[] = [];
      if (request.want === 0) return { settled, leases, nextDueMs: undefined };
      promote(space, now);
      serve(space, request.want, now, settings.limitsOf, (conversation) =>
        leases.push(leaseOne(space, conversation, request, now)),
      );
      if (hasReady(space)) news.ready(space.name);
      return { settled, leases, nextDueMs: leases.length < request.want ? nextDue(space, now) : undefined };
    },
    extend(name, leases, leaseMs, now) {
      const space = spaceOf(name);
      return leases.map(({ conversation, fence }) => {
        const found = held(space, conversation, fence);
        if (found === undefined) return false;
        space.due.set(found, now + leaseMs);
        countLease(space, found, now + leaseMs, limitsFor(found));
        return true;
      });
    },
    take(name, { conversation, fence, have, max }) {
      const found = held(spaceOf(name), conversation, fence);
      if (found === undefined) return undefined;
      const given: Body[] = [];
      if (found.suspects > found.leased) return given;
      for (let i = have; i < have + max && i < found.entries.length; i++) {
        const body = found.entries.at(i)!;
        if (isTicket(body)) break;
        given.push(body);
      }
      found.leased = Math.max(found.leased, have + given.length);
      return given;
    },
    ticket(request, now) {
      const space = spaceOf("in");
      promote(space, now);
      const text = ticketText(request.ttlMs, request.holder, request.ticket);
      let conversation = space.conversations.get(request.conversation);
      if (conversation?.granted === true && conversation.entries.at(0) === text) return { fence: conversation.fence };
      if (tickets.has(request.ticket)) {
        tickets.set(request.ticket, now + request.ttlMs);
        return "waiting";
      }
      if (conversation !== undefined && request.tryOnly) return "busy";
      tickets.set(request.ticket, now + request.ttlMs);
      if (conversation === undefined) {
        conversation = createConversation(request.conversation);
        conversation.tickets = true;
        conversation.entries.push(text);
        space.conversations.set(request.conversation, conversation);
        makeReady(space, conversation, now);
        return { fence: conversation.fence };
      }
      conversation.tickets = true;
      conversation.entries.push(text);
      return "waiting";
    },
    cancelTicket(key, ticket, now) {
      tickets.delete(ticket);
      const space = spaceOf("in");
      const conversation = space.conversations.get(key);
      if (conversation === undefined) return;
      const index = conversation.entries
        .values()
        .findIndex((entry) => isTicket(entry) && parseTicket(entry).ticket === ticket);
      if (index === 0 && conversation.granted)
        settleOne(space, { kind: "release", conversation: key, fence: conversation.fence, delayMs: 0 }, now);
      else if (index >= 0) conversation.entries.removeAt(index);
      if (conversation.entries.length > 0) return;
      // It waited for a time, with nobody but this one in line.
      space.due.remove(conversation);
      space.conversations.delete(key);
    },
    unschedule({ conversation, id, dedupKey }) {
      const space = spaceOf("in");
      const scheduled = space.scheduled.get(`${conversation}\n${id}`);
      if (scheduled === undefined) return false;
      space.due.remove(scheduled);
      space.scheduled.delete(scheduled.key);
      dedup.remove(`in\n${conversation}\n${dedupKey}`);
      return true;
    },
    seedFence(fence) {
      lastFence = Math.max(lastFence, fence);
    },
    hurry(now) {
      const waiting = [...spaces.values()].flatMap((space) =>
        inRetry(space).map((conversation) => ({ space, conversation })),
      );
      for (const { space, conversation } of waiting) {
        space.due.remove(conversation);
        makeReady(space, conversation, now);
      }
      return waiting.length;
    },
    replayDead: (id, body, now) => settleDead(id, now, body),
    discardDead: (id, now) => settleDead(id, now),
  };
}
