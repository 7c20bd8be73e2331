import type { Clock, Logger } from "@hebra/core";
import type { Bus } from "@hebra/bus";
import type { ThreadStore } from "../../store/store.ts";
import { carriedMessages } from "../carried.ts";
import { createHandover } from "../handover.ts";
import { sweepStore } from "../sweep.ts";
import type { MoveToSharedReport } from "./types.ts";

/** More than any local store leaves behind at once. */
const LIMIT = 1_000_000;

/**
 * Gives to the shared bus what the copy holds and nobody works on yet. It can be repeated: the bus knows the ids.
 *
 * @param parts - `storesIntake`: replies rest on the store until their channel has them
 */
export async function publishLeft(parts: {
  target: ThreadStore;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  storesIntake: boolean;
  maxReplyBytes: number;
}): Promise<MoveToSharedReport["published"]> {
  const { target: store, bus, clock, logger, storesIntake, maxReplyBytes } = parts;
  const carried = carriedMessages(store, clock, logger);
  const messages = await carried.list();
  await carried.restore(bus);
  // The shared bus outlives its processes: from here on it keeps them.
  for (const message of messages) await carried.remove(message);
  const handover = createHandover({ store, clock, logger, whenSent: storesIntake, maxReplyBytes });
  const now = clock.now() + 1;
  const found = await sweepStore(
    { bus, store, handover, clock },
    { before: now, repliesBefore: now, limit: LIMIT, again: false },
  );
  await handover.flush();
  return { ...found, carried: messages.length };
}
