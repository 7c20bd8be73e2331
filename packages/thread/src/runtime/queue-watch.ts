import { errorMessage, sleep, type Clock, type Logger } from "@hebra/core";
import type { Bus } from "@hebra/bus";
import type { RuntimeMetrics } from "./metrics.ts";

/** Milliseconds between two looks at the queues. */
const LOOK_EVERY_MS = 10_000;

/** Measures what lies in the queues, again and again, while somebody measures. @returns stops */
export function watchQueues({
  bus,
  metrics,
  clock,
  logger,
}: {
  bus: Bus;
  metrics: RuntimeMetrics;
  clock: Clock;
  logger: Logger;
}): () => void {
  const stopping = new AbortController();
  const look = async () => {
    try {
      metrics.queues(await bus.stats());
    } catch (error) {
      logger.debug("The queues could not be measured.", { error: errorMessage(error) });
    }
  };
  void (async () => {
    while (!stopping.signal.aborted) {
      await look();
      await sleep(clock, LOOK_EVERY_MS, stopping.signal).catch(() => undefined);
    }
  })();
  return () => stopping.abort();
}
