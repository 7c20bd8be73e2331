import type { ExchangeRequest, RawLease } from "../backend.ts";
import type { Body } from "../envelope.ts";
import { append } from "./append.ts";
import { limitsFor, nextFence, type MailboxCore } from "./mailbox-core.ts";
import { countLease, unpark } from "./lanes.ts";
import { failLease, makeReady } from "./lease.ts";
import { heldAlone, leaseBegan } from "./suspects.ts";
import { isTicket, type Conversation, type SpaceState } from "./state.ts";

/** At most this many things become due in one step, so that no step takes long. */
const PROMOTE = 100;

/**
 * Moves what is due: expired leases, elapsed delays, scheduled messages, parked tenants.
 *
 * @param waitMs - after which a suspect goes out without a trial
 */
export function promote(core: MailboxCore, space: SpaceState, waitMs: number, now: number): void {
  for (let i = 0; i < PROMOTE; i++) {
    const first = space.due.peek();
    if (first === undefined || first.dueAt > now) return;
    space.due.remove(first);
    if (first.kind === "tenant") {
      unpark(space, first.lane, first.tenant);
    } else if (first.kind === "scheduled") {
      space.scheduled.delete(first.key);
      append(core, space, first, now);
    } else {
      promoteConversation(core, space, first, waitMs, now);
    }
  }
}

function promoteConversation(
  core: MailboxCore,
  space: SpaceState,
  conversation: Conversation,
  waitMs: number,
  now: number,
): void {
  if (conversation.leased > 0 && !conversation.granted) return expireLease(core, space, conversation, waitMs, now);
  if (conversation.leased > 0) failLease(core, space, conversation);
  else space.suspects.delete(conversation.key);
  makeReady(core, space, conversation, now);
}

/** Ends a lease without an answer: its holder may have crashed, by this conversation or by another that it held. */
function expireLease(
  core: MailboxCore,
  space: SpaceState,
  conversation: Conversation,
  waitMs: number,
  now: number,
): void {
  const alone = heldAlone(core, conversation.holder) || conversation.onTrial;
  failLease(core, space, conversation);
  if (!alone) conversation.attempts--;
  conversation.crashes++;
  space.suspects.set(conversation.key, conversation);
  space.due.set(conversation, now + waitMs);
  core.news.ready(space.name);
}

/** Leases one conversation that was taken out of its lane. */
export function leaseOne(
  core: MailboxCore,
  space: SpaceState,
  conversation: Conversation,
  request: ExchangeRequest,
  now: number,
): RawLease {
  const limit = conversation.redeliveries > 0 ? 1 : request.perConversation;
  const bodies: Body[] = [];
  for (let i = 0; i < limit && i < conversation.entries.length; i++) {
    const body = conversation.entries.at(i)!;
    if (conversation.tickets && isTicket(body)) break;
    bodies.push(body);
  }
  conversation.attempts++;
  conversation.fence = nextFence(core, now);
  conversation.leased = bodies.length;
  conversation.holder = request.holder;
  leaseBegan(core, space, request.holder);
  conversation.high = false;
  space.due.set(conversation, now + request.leaseMs);
  countLease(space, conversation, now + request.leaseMs, limitsFor(core, conversation));
  return { conversation: conversation.key, fence: conversation.fence, attempt: conversation.attempts, bodies };
}
