import { countLease, enterLane, uncountLease } from "./lanes.ts";
import { limitsFor, nextFence, type MailboxCore } from "./mailbox-core.ts";
import { leaseBegan, leaseEnded } from "./suspects.ts";
import { isTicket, parseTicket, type Conversation, type SpaceState } from "./state.ts";

/** Puts a conversation that nobody holds into its lane, or leases it to the live ticket at its head. */
export function makeReady(core: MailboxCore, space: SpaceState, conversation: Conversation, now: number): void {
  for (
    let head = conversation.entries.at(0);
    conversation.tickets && isTicket(head);
    head = conversation.entries.at(0)
  ) {
    const { ticket, holder, ttlMs } = parseTicket(head);
    const aliveUntil = core.tickets.get(ticket);
    core.tickets.delete(ticket);
    if (aliveUntil !== undefined && aliveUntil > now) {
      conversation.fence = nextFence(core, now);
      conversation.leased = 1;
      conversation.granted = true;
      conversation.holder = holder;
      leaseBegan(core, space, holder);
      space.due.set(conversation, now + ttlMs);
      countLease(space, conversation, now + ttlMs, limitsFor(core, conversation));
      core.news.notice(holder, space.name, conversation.key, false);
      return;
    }
    conversation.entries.shift();
  }
  if (conversation.entries.length === 0) return void space.conversations.delete(conversation.key);
  enterLane(space, conversation);
  core.news.ready(space.name);
}

/** Removes entries from the head. The message behind a failed one keeps the attempt that it shared. */
export function removeHead(space: SpaceState, conversation: Conversation, count: number): void {
  space.counts.depth -= conversation.granted ? count - 1 : count;
  for (let i = 0; i < count; i++) conversation.entries.shift();
  conversation.redeliveries = Math.max(0, conversation.redeliveries - count);
  conversation.attempts = conversation.redeliveries > 0 ? 1 : 0;
}

/** Ends a lease of any kind. The caller decides where the conversation goes. */
export function endLease(core: MailboxCore, space: SpaceState, conversation: Conversation): void {
  leaseEnded(core, space, conversation);
  uncountLease(space, conversation, limitsFor(core, conversation));
  space.due.remove(conversation);
  conversation.fence = 0;
  conversation.leased = 0;
  conversation.holder = "";
  conversation.granted = false;
  conversation.watched = false;
}

/** Makes a conversation ready, now or after a delay. */
export function goOn(
  core: MailboxCore,
  space: SpaceState,
  conversation: Conversation,
  delayMs: number,
  now: number,
): void {
  if (delayMs > 0) space.due.set(conversation, now + delayMs);
  else makeReady(core, space, conversation, now);
}

/** Ends the lease of a delivery that failed or expired: its messages become redeliveries, and a ticket leaves. */
export function failLease(core: MailboxCore, space: SpaceState, conversation: Conversation): void {
  let leased = conversation.leased;
  if (conversation.granted) {
    conversation.entries.shift();
    leased--;
    conversation.attempts = leased > 0 ? 1 : 0;
  }
  conversation.redeliveries = Math.max(conversation.redeliveries, leased);
  endLease(core, space, conversation);
}
