import { HebraError, sleep, type Clock } from "@hebra/core";
import type { Backend, RawLease, Settle, Space } from "../backend.ts";

/** At most this many settles and claims in one request. */
const BATCH = 256;

/**
 * So many are worth a request of their own beside another: the server works while the next is made. Fewer wait for the
 * answer.
 */
const WORTH_SHARING = 8;

/** Milliseconds after which the batcher asks unprompted: the bound for a lost wake-up. */
const POLL_MS = 5_000;

/** What a batcher needs. */
export interface BatcherOptions {
  readonly backend: Backend;
  readonly space: Space;
  readonly id: string;
  readonly holder: string;
  readonly perConversation: number;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly requestId: () => string;
  /** Conversations that could be taken now. */
  readonly free: () => number;
  /** Takes what was leased; `sentAt` is monotonic time from before the request. */
  readonly receive: (leases: readonly RawLease[], partition: number, sentAt: number) => void;
}

/** Sends settles and claims of one space together: while requests are out, the next gathers. */
export interface SettleAndClaimBatcher {
  /** Settles in the next request. @returns what the backend answered: see `ExchangeReply.settled` */
  settle(partition: number, settle: Settle): Promise<number>;
  /** Something may be ready: ask for it. @returns whether there is room for it */
  wake(partition: number): boolean;
  /** Whether `wake` would send a request before it returns, and not leave it to one that is out. */
  willClaim(partition: number): boolean;
  /** There is room again. */
  roomMade(): void;
  /** Resolves when every settle has its answer. */
  answered(): Promise<void>;
  /** Claims nothing for a while, so that what it gives back reaches others first; settles still go out. */
  rest(ms: number): void;
  /** Claims no more; settles still go out. */
  stopClaiming(): void;
  /** Gives up what is under way. */
  close(): void;
}

interface Waiting {
  readonly settle: Settle;
  readonly resolve: (result: number) => void;
  readonly reject: (error: unknown) => void;
}

/** One request at a time. The backend knows its latest by its name: a request that comes twice gets the same answer. */
interface Lane {
  readonly id: string;
  busy: boolean;
  /** Whether what is out settles anything, or only asks for more. */
  settles: boolean;
}

interface Part {
  waiting: Waiting[];
  readonly lanes: readonly Lane[];
  /** Whether something may be ready. */
  dirty: boolean;
  queued: boolean;
  cancelTimer: (() => void) | undefined;
}

/** A batcher that has not asked for anything yet. */
export function createSettleAndClaimBatcher(options: BatcherOptions): SettleAndClaimBatcher {
  const { backend, clock } = options;
  const lanes = () =>
    Array.from({ length: backend.lanes }, (_, lane): Lane => ({
      id: `${options.id}.${lane}`,
      busy: false,
      settles: false,
    }));
  const parts: Part[] = Array.from({ length: backend.partitions }, () => ({
    waiting: [],
    lanes: lanes(),
    dirty: false,
    queued: false,
    cancelTimer: undefined,
  }));
  // In process an exchange costs less than a turn of the event loop: all that one turn brings shares one.
  const defer = backend.inProcess === true ? setImmediate : queueMicrotask;
  const closing = new AbortController();
  let claiming = true;
  let cancelRest: (() => void) | undefined;
  let pending = 0;
  const idle: (() => void)[] = [];
  let reserved = 0;

  const room = () => (claiming && cancelRest === undefined ? Math.min(BATCH, options.free() - reserved) : 0);

  const arm = (part: Part, index: number, afterMs: number) => {
    part.cancelTimer?.();
    part.cancelTimer = clock.after(afterMs, () => {
      part.cancelTimer = undefined;
      part.dirty = true;
      pump(part, index);
    });
  };

  const send = async (index: number, lane: Lane, batch: Waiting[], want: number) => {
    const request = {
      space: options.space,
      requester: lane.id,
      requestId: options.requestId(),
      holder: options.holder,
      settles: batch.map((waiting) => waiting.settle),
      want,
      perConversation: options.perConversation,
      leaseMs: options.leaseMs,
    };
    for (let failures = 0; ; failures++) {
      const sentAt = clock.monotonic();
      try {
        return { reply: await backend.exchange(index, request), sentAt };
      } catch (error) {
        if (closing.signal.aborted) throw error;
        await sleep(clock, Math.min(2_000, 50 * 2 ** Math.min(failures, 6)), closing.signal).catch(() => {
          throw error;
        });
      }
    }
  };

  const answered = (count: number) => {
    pending -= count;
    if (pending === 0) for (const tell of idle.splice(0)) tell();
  };

  const pump = (part: Part, index: number): void => {
    if (closing.signal.aborted) return;
    let free = part.lanes.reduce((count, lane) => count + (lane.busy ? 0 : 1), 0);
    for (const lane of part.lanes) {
      if (lane.busy) continue;
      if (free < part.lanes.length && !worthALane(part)) return;
      if (!depart(part, index, lane, free--)) return;
    }
  };

  /** Replies travel with settles: they do not wait behind a request that only asks for more. */
  const worthALane = ({ waiting, lanes: all }: Part) =>
    waiting.length >= WORTH_SHARING || (waiting.length > 0 && !all.some((lane) => lane.busy && lane.settles));

  /** Sends what waits in a free lane, one of `free`. @returns whether there was anything */
  const depart = (part: Part, index: number, lane: Lane, free: number): boolean => {
    const share = (count: number) => (count >= 2 * WORTH_SHARING ? Math.ceil(count / free) : count);
    const batch = part.waiting.splice(0, Math.min(BATCH, share(part.waiting.length)));
    const want = part.dirty || batch.length > 0 ? Math.max(0, share(room())) : 0;
    if (batch.length === 0 && want === 0) return false;
    if (want > 0) part.dirty = false;
    lane.busy = true;
    lane.settles = batch.length > 0;
    reserved += want;
    const done = () => {
      lane.busy = false;
      reserved -= want;
      // What was kept free for this part may be taken by another.
      if (want > 0) wakeDirty(part);
    };
    send(index, lane, batch, want).then(
      ({ reply, sentAt }) => {
        done();
        batch.forEach((waiting, i) => waiting.resolve(reply.settled[i] ?? -1));
        answered(batch.length);
        if (reply.leases.length > 0) options.receive(reply.leases, index, sentAt);
        if (want > 0 && reply.leases.length === want) part.dirty = true;
        if (claiming && want > 0) arm(part, index, Math.min(POLL_MS, reply.nextDueMs ?? POLL_MS));
        // What a handler settles at once shares the next request with the claim for more.
        if (reply.leases.length > 0) pumpLater(part, index, setImmediate);
        else pump(part, index);
      },
      (error: unknown) => {
        done();
        for (const waiting of batch) waiting.reject(error);
        answered(batch.length);
      },
    );
    return true;
  };

  const wakeDirty = (except?: Part) =>
    parts.forEach((part, i) => {
      if (part !== except && part.dirty) pumpSoon(part, i);
    });

  const pumpSoon = (part: Part, index: number) => pumpLater(part, index, defer);
  const pumpLater = (part: Part, index: number, later: (work: () => void) => void) => {
    if (part.queued) return;
    part.queued = true;
    later(() => {
      part.queued = false;
      pump(part, index);
    });
  };

  return {
    settle(index, settle) {
      if (closing.signal.aborted)
        return Promise.reject(
          new HebraError(
            "CLOSED",
            "The bus was closed before the delivery was settled. Its messages are delivered again.",
          ),
        );
      const part = parts[index]!;
      pending++;
      return new Promise<number>((resolve, reject) => {
        part.waiting.push({ settle, resolve, reject });
        if (part.lanes.some((lane) => !lane.busy)) pumpSoon(part, index);
      });
    },
    answered: () => (pending === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))),
    wake(index) {
      const part = parts[index]!;
      part.dirty = true;
      const hasRoom = room() > 0;
      if (!part.queued) pump(part, index);
      return hasRoom;
    },
    willClaim(index) {
      const part = parts[index]!;
      return room() > 0 && !closing.signal.aborted && !part.queued && part.lanes.every((lane) => !lane.busy);
    },
    roomMade: () => wakeDirty(),
    rest(ms) {
      cancelRest?.();
      cancelRest = clock.after(ms, () => {
        cancelRest = undefined;
        for (const part of parts) part.dirty = true;
        wakeDirty();
      });
    },
    stopClaiming() {
      claiming = false;
      cancelRest?.();
      for (const part of parts) part.cancelTimer?.();
    },
    close() {
      claiming = false;
      cancelRest?.();
      closing.abort();
      for (const part of parts) {
        part.cancelTimer?.();
        for (const waiting of part.waiting)
          waiting.reject(
            new HebraError(
              "CLOSED",
              "The bus was closed before the delivery was settled. Its messages are delivered again.",
            ),
          );
        answered(part.waiting.length);
        part.waiting = [];
      }
    },
  };
}
