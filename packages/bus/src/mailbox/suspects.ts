import { mayLeaseOne } from "./lanes.ts";
import { limitsFor, type MailboxCore } from "./mailbox-core.ts";
import type { Conversation, SpaceState } from "./state.ts";

/*
 * After a crash nobody knows which of the conversations that the process held is to blame. They wait as suspects: in
 * `due`, until they go out like any other, and among the suspects, most crashes first. Until then a holder gets one of
 * them at a time, on trial. When it crashes again, the one on trial counts the attempt, and those beside it do not.
 */

/** Suspects that are considered for a trial: the limits of a tenant may keep some of them back. */
const CONSIDERED = 16;

/** A lease began. */
export function leaseBegan(core: MailboxCore, space: SpaceState, holder: string): void {
  space.counts.leased++;
  const held = core.holders.get(holder);
  if (held === undefined) core.holders.set(holder, { leases: 1, lostSeveral: false });
  else held.leases++;
}

/** A lease of any kind ended. */
export function leaseEnded(core: MailboxCore, space: SpaceState, conversation: Conversation): void {
  space.counts.leased--;
  const held = core.holders.get(conversation.holder);
  if (held !== undefined && --held.leases === 0) core.idleHolders.add(conversation.holder);
  if (!conversation.onTrial) return;
  conversation.onTrial = false;
  core.trials.delete(conversation.holder);
}

/** Ends a step: holders without a lease are forgotten. */
export function forgetIdleHolders({ holders, idleHolders }: MailboxCore): void {
  for (const holder of idleHolders) if (holders.get(holder)?.leases === 0) holders.delete(holder);
  idleHolders.clear();
}

/** Whether a lease that ran out was its holder's only one. Where several are lost, the last of them was not alone. */
export function heldAlone(core: MailboxCore, holder: string): boolean {
  const held = core.holders.get(holder);
  if (held === undefined) return true;
  if (!held.lostSeveral && held.leases <= 1) return true;
  held.lostSeveral = true;
  return false;
}

/** The suspect that a holder may try now, taken out of where it waits. */
export function takeSuspect(
  core: MailboxCore,
  space: SpaceState,
  holder: string,
  now: number,
): Conversation | undefined {
  if (space.suspects.size === 0 || core.trials.has(holder)) return undefined;
  const waiting = [...space.suspects.values()].sort((a, b) => b.crashes - a.crashes || (a.key < b.key ? -1 : 1));
  for (const suspect of waiting.slice(0, CONSIDERED)) {
    if (!mayLeaseOne(space, suspect.tenant, limitsFor(core, suspect), now)) continue;
    space.suspects.delete(suspect.key);
    core.trials.add(holder);
    suspect.onTrial = true;
    return suspect;
  }
  return undefined;
}
