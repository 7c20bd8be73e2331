import { sleep, systemClock } from "@hebra/core";

/** How long a change waits for the one before it, ms: a store that hangs must hold no later change up. */
const MOST_MS = 250;

const last = new WeakMap<object, Map<string, Promise<unknown>>>();

/**
 * Runs changes of one document and lane one after another, as far as this process goes: hundreds at once would only be
 * in each other's way. Other processes are seen by the document's revision.
 */
export async function oneAtATime<T>(document: object, lane: string, work: () => Promise<T>): Promise<T> {
  const lanes = last.get(document) ?? new Map<string, Promise<unknown>>();
  last.set(document, lanes);
  const before = lanes.get(lane);
  const run = (async () => {
    if (before !== undefined) await Promise.race([before, sleep(systemClock, MOST_MS)]);
    return work();
  })();
  lanes.set(
    lane,
    run.catch(() => undefined),
  );
  return run;
}
