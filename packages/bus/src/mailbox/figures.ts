import type { RawStats } from "../backend.ts";
import { earlier, enqueuedAtOf } from "../raw-stats.ts";
import { isTicket, isWaiting, type Conversation, type SpaceState } from "./state.ts";

/** Conversations whose age is looked at, about: the first and last of each line, and what is due first. */
const SAMPLE = 100;

/** Figures of a space, from kept counts: what they cost does not grow with the backlog. */
export function spaceFigures(space: SpaceState, now: number): RawStats {
  const { counts, due, scheduled, parkedTenants } = space;
  const ages = { oldestEnqueuedAt: undefined, oldestWaitingEnqueuedAt: undefined } as Pick<
    RawStats,
    "oldestEnqueuedAt" | "oldestWaitingEnqueuedAt"
  >;
  for (const conversation of sampled(space)) {
    const { entries } = conversation;
    const head = isTicket(entries.at(0)) ? entries.at(1) : entries.at(0);
    if (head === undefined || isTicket(head)) continue;
    const at = enqueuedAtOf(head);
    ages.oldestEnqueuedAt = earlier(ages.oldestEnqueuedAt, at);
    if (isWaiting(space, conversation, now)) ages.oldestWaitingEnqueuedAt = earlier(ages.oldestWaitingEnqueuedAt, at);
  }
  return {
    ...ages,
    depth: counts.depth,
    inFlight: counts.leased,
    delayed: due.size - scheduled.size - parkedTenants.size - counts.leased - counts.parked,
    parked: counts.parked,
    scheduled: scheduled.size,
  };
}

function* sampled({ lanes, due }: SpaceState): Iterable<Conversation> {
  // The first of a heap's array are among its earliest.
  for (const item of due.items().slice(0, 2 * SAMPLE)) if (item.kind === "conversation") yield item;
  for (const { ready } of [lanes.normal, lanes.high]) {
    const each = Math.max(1, Math.floor(SAMPLE / Math.max(1, ready.size)));
    let lines = 0;
    for (const line of ready.values()) {
      if (lines++ >= SAMPLE) break;
      for (let i = 0; i < Math.min(each, line.length); i++) yield line.at(i)!;
      for (let i = Math.max(each, line.length - each); i < line.length; i++) yield line.at(i)!;
    }
  }
}
