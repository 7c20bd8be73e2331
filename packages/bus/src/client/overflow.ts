import { sleep } from "@hebra/core";
import type { Backend, Entry, EntryStatus } from "../backend.ts";
import { directionOf, INBOUND, type BusCore } from "./bus-core.ts";

/** Milliseconds between two attempts, at first and at most. */
const FIRST_WAIT_MS = 20;
const LAST_WAIT_MS = 250;
/** Publishes that wait at once. Beyond, a full mailbox answers `full` at once: waiting callers take memory. */
const MAX_WAITING = 1_000;

type Publish = Backend["publish"];

/**
 * Publishes with backpressure: a message whose mailbox is full waits for room, and later ones of its conversation wait
 * behind it. What still finds no room at the deadline is `full`. Messages for gateways never wait.
 */
export function blockingPublish(core: Pick<BusCore, "backend" | "clock" | "settings" | "emit">): Publish {
  const { backend, clock, settings, emit } = core;
  /** The last publish of each conversation that is under way. */
  const last = new Map<string, Promise<unknown>>();
  let waiting = 0;

  /** Tries those that were refused until all are in, or the time is over. */
  async function untilRoom(
    args: Parameters<Publish>,
    first: Awaited<ReturnType<Publish>>,
    giveUpAt: number,
  ): Promise<Awaited<ReturnType<Publish>>> {
    const [space, partition, entries, durability] = args;
    const statuses: EntryStatus[] = [...first.statuses];
    let { durable } = first;
    waiting++;
    const startedAt = clock.monotonic();
    try {
      for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LAST_WAIT_MS, wait * 2)) {
        const left = giveUpAt - clock.monotonic();
        const refused = statuses.flatMap((status, i) => (status === "full" ? [i] : []));
        if (refused.length === 0 || left <= 0) break;
        await sleep(clock, Math.min(wait, left));
        const again: Entry[] = refused.map((i) => entries[i]!);
        const answer = await backend.publish(space, partition, again, durability);
        refused.forEach((i, place) => (statuses[i] = answer.statuses[place]!));
        durable &&= answer.durable;
      }
    } finally {
      waiting--;
      emit?.({ type: "publish-blocked", direction: directionOf(space), waitedMs: clock.monotonic() - startedAt });
    }
    return { statuses, durable };
  }

  async function inTurn(before: readonly Promise<unknown>[], args: Parameters<Publish>) {
    const giveUpAt = clock.monotonic() + settings.overflowWaitMs;
    if (before.length > 0) await Promise.allSettled(before);
    const first = await backend.publish(...args);
    const isFull = first.statuses.includes("full");
    return isFull && waiting < MAX_WAITING ? untilRoom(args, first, giveUpAt) : first;
  }

  return (...args) => {
    const [space, partition, entries, durability] = args;
    if (space !== INBOUND) return backend.publish(space, partition, entries, durability);
    const conversations = [...new Set(entries.map(({ conversation }) => conversation))];
    const before = conversations.flatMap((conversation) => last.get(conversation) ?? []);
    const work = inTurn(before, args);
    for (const conversation of conversations) last.set(conversation, work);
    const done = () => {
      for (const conversation of conversations) if (last.get(conversation) === work) last.delete(conversation);
    };
    work.then(done, done);
    return work;
  };
}
