import type { Entry, EntryStatus } from "../backend.ts";
import { textOf, type Body } from "../envelope.ts";
import type { MailboxCore } from "./mailbox-core.ts";
import { makeReady } from "./lease.ts";
import { createConversation, isTicket, type Conversation, type Scheduled, type SpaceState } from "./state.ts";

/** Puts a message at the tail of its mailbox. */
export function append(
  core: MailboxCore,
  space: SpaceState,
  entry: { conversation: string; body: Body; high: boolean; interrupt: boolean },
  now: number,
): void {
  let conversation = space.conversations.get(entry.conversation);
  space.counts.depth++;
  if (conversation === undefined) {
    conversation = createConversation(entry.conversation);
    conversation.high = entry.high;
    space.conversations.set(entry.conversation, conversation);
    conversation.entries.push(entry.body);
    makeReady(core, space, conversation, now);
    return;
  }
  conversation.entries.push(entry.body);
  if (entry.high) conversation.high = true;
  if (conversation.watched) core.news.notice(conversation.holder, space.name, entry.conversation, entry.interrupt);
}

/** Makes room in a full mailbox by dead-lettering the oldest message that nobody holds. */
export function dropOldest(core: MailboxCore, space: SpaceState, conversation: Conversation, now: number): boolean {
  const first = conversation.parkedBy === "" ? conversation.leased : 1;
  for (let i = first; i < Math.min(conversation.entries.length, first + 16); i++) {
    const body = conversation.entries.at(i)!;
    if (isTicket(body)) continue;
    // A ready conversation has a message at its head, never a ticket.
    if (i === 0 && isTicket(conversation.entries.at(1))) continue;
    conversation.entries.removeAt(i);
    space.counts.depth--;
    const attempts = i === 0 ? conversation.attempts : i < conversation.redeliveries ? 1 : 0;
    if (i < conversation.redeliveries) conversation.redeliveries--;
    if (i === 0) conversation.attempts = conversation.redeliveries > 0 ? 1 : 0;
    core.dead.add({
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
}

/** Accepts one message, unless it is a duplicate or its mailbox is full. */
export function publishOne(
  core: MailboxCore,
  space: SpaceState,
  entry: Entry,
  capped: boolean,
  now: number,
): EntryStatus {
  const dedupKey = entry.dedupKey === undefined ? undefined : `${space.name}\n${entry.conversation}\n${entry.dedupKey}`;
  if (dedupKey !== undefined && core.dedup.has(dedupKey, now)) return "duplicate";
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
    core.news.ready(space.name);
  } else {
    const conversation = space.conversations.get(entry.conversation);
    if (capped && conversation !== undefined && conversation.entries.length >= core.settings.maxBacklog) {
      if (core.settings.overflow !== "drop-oldest" || !dropOldest(core, space, conversation, now)) return "full";
    }
    append(core, space, entry, now);
  }
  if (dedupKey !== undefined) core.dedup.add(dedupKey, now);
  return "accepted";
}
