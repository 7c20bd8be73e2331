import type { Settle } from "../backend.ts";
import { textOf } from "../envelope.ts";
import { append, publishOne } from "./append.ts";
import { spaceOf, type MailboxCore } from "./mailbox-core.ts";
import { endLease, failLease, goOn, makeReady, removeHead } from "./lease.ts";
import { oneInterrupts, type SpaceState } from "./state.ts";

/**
 * Takes a dead letter away: with a body its message goes back, or its conversation goes on with it; else it is gone.
 */
export function settleDead(core: MailboxCore, id: string, now: number, body?: string): boolean {
  const letter = core.dead.get(id);
  if (letter === undefined) return false;
  core.dead.remove(id);
  const space = spaceOf(core, letter.space);
  if (!letter.parked) {
    if (body !== undefined)
      append(core, space, { conversation: letter.conversation, body, high: false, interrupt: false }, now);
    return true;
  }
  const conversation = space.conversations.get(letter.conversation);
  if (conversation?.parkedBy !== id) return true;
  conversation.parkedBy = "";
  space.counts.parked--;
  space.due.remove(conversation);
  if (body === undefined) removeHead(space, conversation, 1);
  else conversation.attempts = 0;
  makeReady(core, space, conversation, now);
  return true;
}

/** Applies one settle. @returns -1 when the lease was lost, else the number of messages that wait for `take` */
export function settleOne(core: MailboxCore, space: SpaceState, settle: Settle, now: number): number {
  const conversation = space.conversations.get(settle.conversation);
  if (conversation === undefined || conversation.fence !== settle.fence) return -1;
  // Its holder answered: the conversation does not end processes.
  if (settle.kind !== "watch") conversation.crashes = 0;
  switch (settle.kind) {
    case "ack":
      removeHead(space, conversation, Math.min(settle.count, conversation.leased));
      endLease(core, space, conversation);
      for (const reply of settle.replies) publishOne(core, spaceOf(core, reply.space), reply, false, now);
      makeReady(core, space, conversation, now);
      return 0;
    case "retry":
      failLease(core, space, conversation);
      goOn(core, space, conversation, settle.delayMs, now);
      return 0;
    case "release":
      if (conversation.granted) conversation.entries.shift();
      else conversation.attempts--;
      endLease(core, space, conversation);
      if (conversation.entries.length === 0) space.conversations.delete(conversation.key);
      else goOn(core, space, conversation, settle.delayMs, now);
      return 0;
    case "dead":
      if (settle.together) conversation.redeliveries = Math.max(conversation.redeliveries, conversation.leased);
      core.dead.add({
        ...settle.record,
        space: space.name,
        conversation: conversation.key,
        body: textOf(conversation.entries.at(0)!),
        at: now,
        parked: false,
      });
      removeHead(space, conversation, 1);
      endLease(core, space, conversation);
      makeReady(core, space, conversation, now);
      return 0;
    case "park":
      conversation.parkedBy = core.dead.add({
        ...settle.record,
        space: space.name,
        conversation: conversation.key,
        body: textOf(conversation.entries.at(0)!),
        at: now,
        parked: true,
      });
      failLease(core, space, conversation);
      space.counts.parked++;
      space.due.set(conversation, Infinity);
      return 0;
    case "watch": {
      conversation.watched = true;
      if (conversation.redeliveries > conversation.leased) return 0;
      if (oneInterrupts(conversation)) core.news.notice(conversation.holder, space.name, conversation.key, true);
      return conversation.entries.length - conversation.leased;
    }
  }
}
