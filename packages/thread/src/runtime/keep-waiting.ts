import { errorMessage, HebraError } from "@hebra/core";
import type { BusStats } from "@hebra/bus";
import type { RuntimeServices } from "./services.ts";
import type { MoveJournal } from "./to-local/journal.ts";
import { moveInbound, moveOutbound, moveScheduled } from "./to-local/mailboxes.ts";

/** Milliseconds for it: everything is in this process and on its disk. */
const KEEP_MS = 20_000;

/** What moves stays in the store of this process, so nothing has to be written beside it. */
const journal: Pick<MoveJournal, "note"> = { note: () => undefined };

/**
 * Puts into the store what only the bus of this process holds, before the conversations move to another backend:
 * messages become queued turns, scheduled messages and replies without a turn are kept as they are.
 *
 * @returns whether all of it is in the store
 */
export async function keepWaiting(services: RuntimeServices): Promise<boolean> {
  const { bus, logger } = services;
  const late = AbortSignal.timeout(KEEP_MS);
  const movers = { ...services, journal, withinStore: true };
  const isOver = (left: (stats: BusStats) => number) => async () => {
    const stats = await bus.stats();
    if (stats.inbound.delayed + stats.outbound.delayed > 0) await bus.retryNow();
    return left(stats) === 0;
  };
  try {
    await moveScheduled(movers);
    const inboundLeft = ({ inbound }: BusStats) => inbound.depth + inbound.inFlight;
    await moveInbound(movers, isOver(inboundLeft), late);
    for (const gatewayId of (await bus.stats()).gateways)
      await moveOutbound(
        movers,
        gatewayId,
        isOver(({ gateways, outbound }) => (gateways.includes(gatewayId) ? outbound.depth : 0)),
        late,
      );
    const stats = await bus.stats();
    const left = inboundLeft(stats) + stats.outbound.depth;
    if (left > 0) throw new HebraError("TIMEOUT", `${left} messages are still on the local bus after ${KEEP_MS} ms.`);
    if (stats.dead > 0) logger.warn("Dead letters of the local bus end with this process.", { count: stats.dead });
    return true;
  } catch (error) {
    logger.error("Messages of the local bus could not be put into the store; their move waits for this process.", {
      error: errorMessage(error),
    });
    return false;
  }
}
