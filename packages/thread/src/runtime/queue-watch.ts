import { errorMessage, sleep, type Clock, type JsonValue, type Logger } from "@hebra/core";
import type { Bus, BusStats } from "@hebra/bus";
import { createLeader, type Leadership, type LockManager } from "@hebra/lock";
import type { ThreadStore } from "../store/store.ts";
import { ownThread, OWN_TENANT } from "./own-thread.ts";
import type { RuntimeMetrics } from "./metrics.ts";

/** Milliseconds between two samples, and between two readings of the last one. */
const SAMPLE_EVERY_MS = 10_000;
/** A sample that is older tells nothing of the queues any more. */
const STALE_AFTER_MS = 3 * SAMPLE_EVERY_MS;

/** The key of the thread that holds the last sample. A move leaves it behind. */
export const sampleKey = "runtime:queues";

/** What a queue watch works with. */
export interface QueueWatchParts {
  bus: Bus;
  store: ThreadStore;
  locks: LockManager;
  metrics: Pick<RuntimeMetrics, "queues">;
  clock: Clock;
  logger: Logger;
  busIsLocal: boolean;
}

/**
 * Exports the queues' figures for as long as somebody measures. Of all processes of a shared bus one is elected to
 * sample it; the others read its last sample from the store, so that the bus answers once an interval however many
 * processes there are. Where processes share no store, each samples by itself.
 *
 * @returns stops it, and resolves when it has stopped
 */
export function watchQueues(parts: QueueWatchParts): () => Promise<void> {
  const { bus, store, locks, metrics, clock, logger, busIsLocal } = parts;
  const stopping = new AbortController();
  const failed = (error: unknown) => {
    if (!stopping.signal.aborted) logger.debug("The queues could not be measured.", { error: errorMessage(error) });
  };
  const every = async (signal: AbortSignal, work: () => Promise<void>) => {
    while (!signal.aborted) {
      await work().catch(failed);
      await sleep(clock, SAMPLE_EVERY_MS, signal).catch(() => undefined);
    }
  };
  const sample = async () => {
    const stats = await bus.stats();
    metrics.queues(stats);
    return stats;
  };
  if (busIsLocal || store.scope === "process") {
    const sampling = every(stopping.signal, async () => void (await sample()));
    return () => {
      stopping.abort();
      return sampling;
    };
  }

  const thread = ownThread(store, sampleKey, () => clock.now());
  let leads = false;

  async function lead({ epoch, signal }: Leadership): Promise<void> {
    leads = true;
    try {
      await thread.open();
      await store.takeOver(OWN_TENANT, thread.contextId, epoch);
      await every(signal, async () => {
        const stats = await sample();
        await thread.write(epoch, { at: clock.now(), stats: stats as unknown as JsonValue });
      });
    } finally {
      leads = false;
    }
  }
  async function read(): Promise<void> {
    if (leads) return;
    const last = (await thread.read())?.state as { at?: number; stats?: BusStats } | undefined;
    if (last?.stats === undefined || clock.now() - (last.at ?? 0) > STALE_AFTER_MS) return;
    metrics.queues(last.stats);
  }

  const leader = createLeader("queue-sampler", { locks, clock, lead, onError: failed });
  const reading = every(stopping.signal, read);
  return async () => {
    stopping.abort();
    await Promise.all([reading, leader.close()]);
  };
}
