import { deriveId, errorMessage, parseOptions, sleep } from "@hebra/core";
import * as z from "zod";
import { handleDelivery } from "./deliveries.ts";
import { asJson } from "./payloads.ts";
import { presences, showPresence } from "./presence.ts";
import type { RuntimeServices } from "./services.ts";

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
/** How often a waiting turn that is due is woken, in milliseconds. */
const WAKE_AGAIN_MS = 60_000;
/** Sweeps after which a reply whose row nobody has marked may never have been sent. */
const LATE_SWEEPS = 2;

/** @throws HebraError `INVALID_OPTIONS` */
export function startWorker(services: RuntimeServices, options: WorkerOptions = {}): Worker {
  const { bus, store, locks, clock, logger, handover } = services;
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

  /** Turns that lost their worker or were decided, and replies that nobody took to the bus. */
  async function sweep(first: boolean): Promise<void> {
    const now = clock.now();
    // Nobody else has this store and this bus: what is unfinished at the start is left over.
    const alone = first && services.busIsLocal;
    if (alone) await services.carried.restore(bus);
    const only = {
      definitions: services.threads.map(({ name }) => name),
      limit: alone ? FIRST_SWEEP_LIMIT : SWEEP_LIMIT,
    };
    const orphans = await store.system().sweep({ before: alone ? now : now - services.sweepMs, ...only });
    // A decision whose maker died before it woke anybody, and consent that nobody gave in time.
    const due = await store.system().due({ now, ...only });
    const wakes = [...orphans, ...due].map(({ tenant, threadKey, contextId, executionId, updatedAt, status }) => {
      // The id keeps a turn that stays as it is from being woken again and again; one that is due may be so by
      // another's clock only.
      const id = deriveId(
        "wake",
        executionId,
        updatedAt,
        ...(status === "waiting" ? [Math.floor(now / WAKE_AGAIN_MS)] : []),
      );
      return { tenant, session: threadKey, id, payload: asJson({ kind: "wake", contextId }) };
    });
    if (wakes.length > 0) await bus.publishInbound(wakes);
    const late = await store
      .system()
      .outbox({ before: alone ? now : now - LATE_SWEEPS * services.sweepMs, limit: only.limit });
    const contexts = new Map(
      late.map(({ tenant, row }) => [`${tenant}/${row.contextId}`, { tenant, contextId: row.contextId }]),
    );
    for (const { tenant, contextId } of contexts.values()) {
      const snapshot = await store.load(tenant, { contextId });
      if (snapshot === undefined || stopping.signal.aborted) continue;
      const claim = await bus.claim({ tenant, session: snapshot.thread.key }, { waitMs: 0 }).catch(() => undefined);
      // Held by somebody: the holder sees the rows when it lets go.
      if (claim === undefined) continue;
      if (snapshot.thread.mainContextId === contextId) {
        await handover.settle(claim, [], { again: !alone });
        continue;
      }
      await claim.ack({ outbound: handover.replies(snapshot, { again: !alone }) });
      handover.done(tenant, snapshot, claim.fence);
    }
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
