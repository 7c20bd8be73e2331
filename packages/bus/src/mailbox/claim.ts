import type { ExchangeRequest, RawLease } from "../backend.ts";
import type { Body } from "../envelope.ts";
import { append } from "./append.ts";
import { limitsFor, nextFence, type MailboxCore } from "./mailbox-core.ts";
import { countLease, unpark } from "./lanes.ts";
import { failLease, makeReady } from "./lease.ts";
import { isTicket, type Conversation, type SpaceState } from "./state.ts";

/** At most this many things become due in one step, so that no step takes long. */
const PROMOTE = 100;

/** Moves what is due: expired leases, elapsed delays, scheduled messages, parked tenants. */
export function promote(core: MailboxCore, space: SpaceState, now: number): void {
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
      if (first.leased > 0) failLease(core, space, first);
      makeReady(core, space, first, now);
    }
  }
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
  space.counts.leased++;
  conversation.high = false;
  space.due.set(conversation, now + request.leaseMs);
  countLease(space, conversation, now + request.leaseMs, limitsFor(core, conversation));
  return { conversation: conversation.key, fence: conversation.fence, attempt: conversation.attempts, bodies };
}
