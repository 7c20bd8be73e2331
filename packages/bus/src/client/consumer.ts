import { errorSignature, HebraError } from "@hebra/core";
import type { RawLease, Space } from "../backend.ts";
import { decodeAll, directionOf, parseConversation, type BusCore } from "./bus-core.ts";
import type { Delivery } from "../bus.ts";
import type { Decoded } from "../envelope.ts";
import { createSettleAndClaimBatcher, type SettleAndClaimBatcher } from "./settle-and-claim.ts";
import { lostAt } from "./lease-keeper.ts";
import { ConversationLease } from "./conversation-lease.ts";

/**
 * Milliseconds for which one that met a message of a newer version leaves everything to others: whoever can read it has
 * the first go.
 */
const NEWER_REST_MS = 1_000;

/** A consumer as the bus that owns it sees it. */
export interface Consumer {
  readonly space: Space;
  readonly iterator: AsyncIterableIterator<Delivery>;
  /** Something may be ready. @returns whether there is room for it */
  wake(partition: number): boolean;
  /** Whether `wake` would ask before it returns. */
  willClaim(partition: number): boolean;
  /** Claims no more; what was not handed out yet is released; the iteration ends. @returns how many were released */
  stop(): Promise<number>;
  /** Resolves when every settle has its answer. */
  answered(): Promise<void>;
  close(): void;
}

/** What a consumer is made of. */
export interface ConsumerOptions {
  readonly core: BusCore;
  readonly space: Space;
  readonly id: string;
  readonly concurrency: number;
  readonly maxBatch: number;
  readonly signal: AbortSignal | undefined;
  /** Called when the consumer has ended by its signal or by its iterator. */
  readonly ended: () => void;
}

/** Deals with a lease whose first message must not reach a handler. @returns whether it was such a one */
function rejectUndeliverable(
  core: BusCore,
  batcher: SettleAndClaimBatcher,
  space: Space,
  partition: number,
  lease: RawLease,
  stopped: Decoded | undefined,
  enqueuedAt: number | undefined,
): boolean {
  const { conversation, fence } = lease;
  const { retry } = core.settings;
  if (stopped?.kind === "newer") {
    core.upgradeRequired(stopped.version);
    batcher.rest(NEWER_REST_MS);
    batcher.settle(partition, { kind: "release", conversation, fence, delayMs: 0 }).catch(() => undefined);
    return true;
  }
  const old = enqueuedAt !== undefined && lease.attempt > 1 && core.backend.now() - enqueuedAt > retry.maxAgeMs;
  const cause =
    stopped !== undefined ? "poison" : lease.attempt > retry.maxAttempts ? "exhausted" : old ? "too-old" : undefined;
  if (cause === undefined) return false;
  const error =
    stopped?.kind === "invalid"
      ? new HebraError("ENVELOPE_INVALID", `A message could not be decoded: ${stopped.problem}.`)
      : new HebraError("LEASE_LOST", "Every lease of the message ended without an answer from its handler.");
  const signature = errorSignature(error, { component: "bus" });
  const record = { cause, attempts: lease.attempt - 1, signature: JSON.stringify(signature) };
  const parked = retry.onExhausted === "park" && cause !== "poison";
  const settled = batcher.settle(
    partition,
    parked
      ? { kind: "park", conversation, fence, record }
      : { kind: "dead", conversation, fence, record, together: false },
  );
  settled.then(
    (done) => {
      if (done >= 0)
        core.emit?.({
          type: "message-dead-lettered",
          direction: directionOf(space),
          ...parseConversation(conversation),
          cause,
          code: signature.code,
          parked,
        });
    },
    () => undefined,
  );
  return true;
}

/** Makes conversation leases of leases; those whose message must not reach a handler are dealt with. */
export function acceptLeases(
  core: BusCore,
  batcher: SettleAndClaimBatcher,
  space: Space,
  leases: readonly RawLease[],
  partition: number,
  sentAt: number,
  freed: () => void,
): ConversationLease[] {
  const accepted: ConversationLease[] = [];
  for (const lease of leases) {
    const { messages, stopped } = decodeAll(core.codec, lease.bodies, lease.attempt);
    if (
      rejectUndeliverable(
        core,
        batcher,
        space,
        partition,
        lease,
        messages.length === 0 ? stopped : undefined,
        messages[0]?.enqueuedAt,
      )
    ) {
      freed();
      continue;
    }
    const first = messages[0]!;
    const { conversation, fence, attempt } = lease;
    const { tenant, session } = first;
    const deadline = lostAt(sentAt, core.settings.leaseMs);
    if (deadline <= core.clock.monotonic()) {
      // This process stood still while the answer lay there: by now another may be at work.
      batcher.settle(partition, { kind: "release", conversation, fence, delayMs: 0 }).catch(() => undefined);
      freed();
      continue;
    }
    accepted.push(
      new ConversationLease(core, {
        space,
        partition,
        conversation,
        tenant,
        session,
        fence,
        attempt,
        deadline,
        messages,
        leased: lease.bodies.length,
        batcher,
        freed,
      }),
    );
    core.emit?.({
      type: "delivery-started",
      direction: directionOf(space),
      waitedMs: Math.max(0, core.backend.now() - first.enqueuedAt),
      attempt: lease.attempt,
    });
  }
  return accepted;
}

/** Leases conversations of one space and hands them out through an iterator. */
export function createConsumer(options: ConsumerOptions): Consumer {
  const { core, space } = options;
  const buffer: ConversationLease[] = [];
  const waiting: ((result: IteratorResult<Delivery>) => void)[] = [];
  let held = 0;
  let stopping: Promise<number> | undefined;

  const freed = () => {
    held--;
    batcher.roomMade();
  };
  const batcher = createSettleAndClaimBatcher({
    backend: core.backend,
    space,
    id: options.id,
    holder: core.holder,
    perConversation: options.maxBatch,
    leaseMs: core.settings.leaseMs,
    clock: core.clock,
    requestId: core.ids,
    free: () => options.concurrency - held,
    receive(leases, partition, sentAt) {
      held += leases.length;
      for (const lease of acceptLeases(core, batcher, space, leases, partition, sentAt, freed)) {
        if (stopping !== undefined) void lease.release().catch(() => undefined);
        else if (waiting.length > 0) waiting.shift()!({ value: lease, done: false });
        else buffer.push(lease);
      }
    },
  });

  const stop = (): Promise<number> => {
    if (stopping !== undefined) return stopping;
    options.signal?.removeEventListener("abort", end);
    batcher.stopClaiming();
    const unseen = buffer.splice(0);
    stopping = Promise.allSettled(unseen.map((lease) => lease.release())).then(() => unseen.length);
    for (const resolve of waiting.splice(0)) resolve({ value: undefined, done: true });
    return stopping;
  };
  const end = () => {
    void stop();
    options.ended();
  };
  const next = (): Promise<IteratorResult<Delivery>> => {
    for (let lease = buffer.shift(); lease !== undefined; lease = buffer.shift()) {
      if (core.held.has(lease)) return Promise.resolve({ value: lease, done: false });
    }
    if (stopping !== undefined) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => waiting.push(resolve));
  };

  if (options.signal?.aborted === true) end();
  else options.signal?.addEventListener("abort", end, { once: true });
  return {
    space,
    iterator: {
      next,
      async return() {
        end();
        await stopping;
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    },
    wake: (partition) => batcher.wake(partition),
    willClaim: (partition) => batcher.willClaim(partition),
    stop,
    answered: () => batcher.answered(),
    close: () => batcher.close(),
  };
}
