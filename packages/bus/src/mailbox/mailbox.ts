import type {
  Entry,
  EntryStatus,
  ExchangeReply,
  ExchangeRequest,
  RawLease,
  Space,
  TicketReply,
  TicketRequest,
} from "../backend.ts";
import type { Body } from "../envelope.ts";
import { publishOne } from "./append.ts";
import { leaseOne, promote } from "./claim.ts";
import type { DeadLetterStore } from "./dead-letter-store.ts";
import { countLease, hasReady, serve } from "./lanes.ts";
import { makeReady } from "./lease.ts";
import { createMailboxCore, limitsFor, spaceOf, type MailboxNews, type MailboxSettings } from "./mailbox-core.ts";
import { settleDead, settleOne } from "./settle.ts";
import { inRetry, isTicket, nextDue, type Conversation, type SpaceState } from "./state.ts";
import { forgetIdleHolders, takeSuspect } from "./suspects.ts";
import { cancelTicket, requestTicket } from "./tickets.ts";

export type { MailboxNews, MailboxSettings } from "./mailbox-core.ts";

/**
 * The meaning of the bus, as a pure state machine: every step is synchronous, takes the time in milliseconds and does
 * no input or output. The local bus runs on it; the Redis scripts are compared with it step by step.
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
  retryNow(now: number): number;
  seedFence(fence: number): void;
  replayDead(id: string, body: string, now: number): boolean;
  discardDead(id: string, now: number): boolean;
  readonly dead: DeadLetterStore;
  readonly spaces: ReadonlyMap<Space, SpaceState>;
}

/** Empty mailboxes. */
export function createMailboxes(settings: MailboxSettings, news: MailboxNews): Mailboxes {
  const core = createMailboxCore(settings, news);
  const held = (space: SpaceState, conversation: string, fence: number): Conversation | undefined => {
    const found = space.conversations.get(conversation);
    return found !== undefined && found.fence === fence && fence > 0 ? found : undefined;
  };

  return {
    dead: core.dead,
    spaces: core.spaces,
    publish(name, entries, now) {
      const space = spaceOf(core, name);
      return entries.map((entry) => publishOne(core, space, entry, true, now));
    },
    exchange(request, now) {
      const space = spaceOf(core, request.space);
      const settled = request.settles.map((settle) => settleOne(core, space, settle, now));
      const leases: RawLease[] = [];
      if (request.want === 0) {
        forgetIdleHolders(core);
        return { settled, leases, nextDueMs: undefined };
      }
      promote(core, space, request.leaseMs, now);
      const suspect = takeSuspect(core, space, request.holder, now);
      if (suspect !== undefined) leases.push(leaseOne(core, space, suspect, request, now));
      serve(space, request.want - leases.length, now, core.settings.limitsOf, (conversation) =>
        leases.push(leaseOne(core, space, conversation, request, now)),
      );
      forgetIdleHolders(core);
      const moreToTry = suspect !== undefined && space.suspects.size > 0;
      if (hasReady(space) || moreToTry) core.news.ready(space.name);
      return { settled, leases, nextDueMs: leases.length < request.want ? nextDue(space, now) : undefined };
    },
    extend(name, leases, leaseMs, now) {
      const space = spaceOf(core, name);
      return leases.map(({ conversation, fence }) => {
        const found = held(space, conversation, fence);
        if (found === undefined) return false;
        space.due.set(found, now + leaseMs);
        countLease(space, found, now + leaseMs, limitsFor(core, found));
        return true;
      });
    },
    take(name, { conversation, fence, have, max }) {
      const found = held(spaceOf(core, name), conversation, fence);
      if (found === undefined) return undefined;
      const given: Body[] = [];
      if (found.redeliveries > found.leased) return given;
      for (let i = have; i < have + max && i < found.entries.length; i++) {
        const body = found.entries.at(i)!;
        if (isTicket(body)) break;
        given.push(body);
      }
      found.leased = Math.max(found.leased, have + given.length);
      return given;
    },
    ticket(request, now) {
      const reply = requestTicket(core, request, now);
      forgetIdleHolders(core);
      return reply;
    },
    cancelTicket(conversation, ticket, now) {
      cancelTicket(core, conversation, ticket, now);
      forgetIdleHolders(core);
    },
    unschedule({ conversation, id, dedupKey }) {
      const space = spaceOf(core, "in");
      const scheduled = space.scheduled.get(`${conversation}\n${id}`);
      if (scheduled === undefined) return false;
      space.due.remove(scheduled);
      space.scheduled.delete(scheduled.key);
      core.dedup.remove(`in\n${conversation}\n${dedupKey}`);
      return true;
    },
    seedFence(fence) {
      core.lastFence = Math.max(core.lastFence, fence);
    },
    retryNow(now) {
      const waiting = [...core.spaces.values()].flatMap((space) =>
        inRetry(space).map((conversation) => ({ space, conversation })),
      );
      for (const { space, conversation } of waiting) {
        space.due.remove(conversation);
        space.suspects.delete(conversation.key);
        makeReady(core, space, conversation, now);
      }
      return waiting.length;
    },
    replayDead: (id, body, now) => settleDead(core, id, now, body),
    discardDead: (id, now) => settleDead(core, id, now),
  };
}
