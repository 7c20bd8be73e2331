import { errorMessage, parseOptions, sleep } from "@hebra/core";
import * as z from "zod";
import { handleDelivery } from "./deliveries.ts";
import { presences, showPresence } from "./presence.ts";
import type { RuntimeServices } from "./services.ts";
import { sweepStore } from "./sweep.ts";

/** How a worker works. */
export interface WorkerOptions {
  /** Conversations at once. @defaultValue 10 */
  concurrency?: number;
}

/** Takes conversations from the bus and runs their turns. */
export interface Worker {
  /** Milliseconds since this worker was last seen to consume or to wait; `Infinity` when it cannot work any more. */
  idleMs(): number;
  /** Takes on no more, and resolves when what it holds is done, or at the deadline is given back. */
  stop(options?: { deadlineMs?: number }): Promise<void>;
}

const schema = z.strictObject({ concurrency: z.number().int().min(1).max(10_000).default(10) });
const SWEEP_LIMIT = 200;
/** What one process alone has left behind, or a move has brought: all of it is to go on now. */
const FIRST_SWEEP_LIMIT = 100_000;
/** Sweeps after which a reply whose row nobody has marked may never have been sent. */
const LATE_SWEEPS = 2;

/** @throws HebraError `INVALID_OPTIONS` */
export function startWorker(services: RuntimeServices, options: WorkerOptions = {}): Worker {
  const { bus, locks, clock, logger } = services;
  const { concurrency } = parseOptions("worker", schema, options);
  const stopping = new AbortController();
  const working = new Set<Promise<void>>();
  let lastBeat = clock.monotonic();
  let ended = false;

  // Whoever holds this lock lives: a gateway without a worker of its own looks at it.
  const presence = showPresence(presences.workers, locks, clock);

  async function consume(): Promise<void> {
    await services.phase.begin();
    if (services.phase.phase() === "stopped") return;
    for await (const delivery of bus.consumeInbound({ concurrency, signal: stopping.signal })) {
      lastBeat = clock.monotonic();
      const work: Promise<void> = handleDelivery(services, delivery).finally(() => {
        working.delete(work);
        lastBeat = clock.monotonic();
      });
      working.add(work);
    }
  }

  async function sweep(first: boolean): Promise<void> {
    await services.phase.begin();
    if (services.phase.phase() === "stopped") return;
    const now = clock.now();
    // Nobody else has this store and this bus: what is unfinished at the start is left over.
    const alone = first && services.busIsLocal;
    if (alone) await services.carried.restore(bus);
    await sweepStore(services, {
      before: alone ? now : now - services.sweepMs,
      repliesBefore: alone ? now : now - LATE_SWEEPS * services.sweepMs,
      limit: alone ? FIRST_SWEEP_LIMIT : SWEEP_LIMIT,
      definitions: services.threads.map(({ name }) => name),
      again: !alone,
      signal: stopping.signal,
    });
  }

  async function sweepOn(): Promise<void> {
    for (let first = true; !stopping.signal.aborted; first = false) {
      await sweep(first).catch((error: unknown) => {
        if (!stopping.signal.aborted)
          logger.warn("The sweep failed; the next one tries again.", { error: errorMessage(error) });
      });
      lastBeat = clock.monotonic();
      await sleep(clock, services.sweepMs, stopping.signal).catch(() => undefined);
    }
  }

  const consuming = consume().catch((error: unknown) => {
    // Nothing brings it back but a new process: the probe must say so, and nobody must count on it.
    ended = true;
    logger.error("A worker ended.", { error: errorMessage(error) });
    return presence.close();
  });
  const sweeping = sweepOn();
  let stopped: Promise<void> | undefined;
  return {
    idleMs: () => (ended ? Infinity : clock.monotonic() - lastBeat),
    stop: ({ deadlineMs = 30_000 } = {}) =>
      (stopped ??= (async () => {
        stopping.abort();
        await Promise.all([consuming, presence.close(), sweeping]);
        let giveUp = () => {};
        const late = new Promise<void>((resolve) => (giveUp = clock.after(deadlineMs, resolve, { keepAlive: true })));
        await Promise.race([Promise.allSettled(working), late]);
        giveUp();
      })()),
  };
}
