import type { TicketReply, TicketRequest } from "../backend.ts";
import { promote } from "./claim.ts";
import { makeReady } from "./lease.ts";
import { spaceOf, type MailboxCore } from "./mailbox-core.ts";
import { settleOne } from "./settle.ts";
import { createConversation, isTicket, parseTicket, ticketText } from "./state.ts";

/** Puts a call ticket into line, renews it, or returns the fence once it is at the head. */
export function requestTicket(core: MailboxCore, request: TicketRequest, now: number): TicketReply {
  const space = spaceOf(core, "in");
  promote(core, space, request.ttlMs, now);
  const text = ticketText(request.ttlMs, request.holder, request.ticket);
  let conversation = space.conversations.get(request.conversation);
  if (conversation?.granted === true && conversation.entries.at(0) === text) return { fence: conversation.fence };
  if (core.tickets.has(request.ticket)) {
    core.tickets.set(request.ticket, now + request.ttlMs);
    return "waiting";
  }
  if (conversation !== undefined && request.tryOnly) return "busy";
  core.tickets.set(request.ticket, now + request.ttlMs);
  if (conversation === undefined) {
    conversation = createConversation(request.conversation);
    conversation.tickets = true;
    conversation.entries.push(text);
    space.conversations.set(request.conversation, conversation);
    makeReady(core, space, conversation, now);
    return { fence: conversation.fence };
  }
  conversation.tickets = true;
  conversation.entries.push(text);
  return "waiting";
}

/** Takes a ticket out of line, or gives back what it was granted. */
export function cancelTicket(core: MailboxCore, key: string, ticket: string, now: number): void {
  core.tickets.delete(ticket);
  const space = spaceOf(core, "in");
  const conversation = space.conversations.get(key);
  if (conversation === undefined) return;
  const index = conversation.entries
    .values()
    .findIndex((entry) => isTicket(entry) && parseTicket(entry).ticket === ticket);
  if (index === 0 && conversation.granted)
    settleOne(core, space, { kind: "release", conversation: key, fence: conversation.fence, delayMs: 0 }, now);
  else if (index >= 0) conversation.entries.removeAt(index);
  if (conversation.entries.length > 0) return;
  // It waited for a time, with nobody but this one in line.
  space.due.remove(conversation);
  space.conversations.delete(key);
}
