import type { ThreadStore } from "../store/store.ts";
import { errorCode, type Clock } from "@hebra/core";
import { ENVELOPE_VERSION, isDurable, type AnyEvent, type ThreadEvent } from "./envelope.ts";

/** A reader of one execution's events. */
export interface Subscription extends AsyncIterable<ThreadEvent> {
  /** Offers an event of this process. Never blocks: what a slow reader misses comes from the journal. */
  offer(event: AnyEvent): void;
  /** Looks once more where the turn runs: it has left this process. */
  lookAgain(): void;
  close(): void;
}

/** Events that are kept for a slow reader before it is sent to the journal. */
const MAX_BUFFERED = 1_024;
const POLL_MS = 250;
const PAGE = 256;

/**
 * Reads an execution from a sequence number until it waits for people or has ended: durable events once and in order,
 * live ones as long as the reader keeps up. Events of another process are seen through the journal, which is polled. A
 * reader whose engine or store is closed gets `stream-closed` as its last event.
 */
export function createSubscription(options: {
  store: ThreadStore;
  clock: Clock;
  tenant: string;
  contextId: string;
  executionId: string;
  afterSeq: number;
  /** Whether reading ends where the turn began to wait, as it waits still: a later reader finds more in the journal. */
  endsHere(): Promise<boolean>;
  /** Aborts when the engine is closed. */
  engineClosed: AbortSignal;
  /** Whether this process runs the execution and offers its events. */
  isLocal(): boolean;
  onClose(): void;
}): Subscription {
  const { store, clock, tenant, contextId, executionId } = options;
  let cursor = options.afterSeq;
  let buffer: AnyEvent[] = [];
  let lagging = false;
  // What was published before this reader came is in the journal alone.
  let begun = false;
  let closed = false;
  let wake = () => {};

  function close(): void {
    if (closed) return;
    closed = true;
    buffer = [];
    options.onClose();
    wake();
  }

  async function* read(): AsyncGenerator<AnyEvent, void, void> {
    const onClosed = () => wake();
    options.engineClosed.addEventListener("abort", onClosed, { once: true });
    try {
      yield* readOn();
    } catch (error) {
      if (errorCode(error) !== "CLOSED") throw error;
      yield closedEvent();
    } finally {
      options.engineClosed.removeEventListener("abort", onClosed);
      close();
    }
  }

  function closedEvent(): AnyEvent {
    return {
      v: ENVELOPE_VERSION,
      at: clock.now(),
      tenant,
      contextId,
      executionId,
      stepId: "",
      attempt: 0,
      partIndex: -1,
      index: 0,
      type: "stream-closed",
      data: {},
    };
  }

  async function* readOn(): AsyncGenerator<AnyEvent, void, void> {
    while (!closed) {
      if (options.engineClosed.aborted && buffer.length === 0) {
        yield closedEvent();
        return;
      }
      const event = begun ? buffer.shift() : undefined;
      if (event === undefined || (isDurable(event) && event.seq > cursor + 1)) {
        if (event !== undefined) buffer.unshift(event);
        if (event === undefined && begun && !lagging && options.isLocal()) {
          await waitForMore();
          continue;
        }
        begun = true;
        const caughtUp = yield* fromJournal();
        if (caughtUp === "ended") return;
        continue;
      }
      if (isDurable(event)) {
        if (event.seq <= cursor) continue;
        cursor = event.seq;
      }
      if (event.executionId !== executionId) continue;
      yield event;
      if (event.type === "execution-ended") return;
      if (event.type === "execution-waiting" && (await options.endsHere())) return;
    }
  }

  /** Everything in the journal after the cursor; waits for more when there is nothing. */
  async function* fromJournal(): AsyncGenerator<AnyEvent, "ended" | "more", void> {
    lagging = false;
    const events = await store.journal(tenant, contextId, cursor, PAGE);
    for (const event of events) {
      cursor = event.seq;
      if (event.executionId !== executionId) continue;
      yield event;
      if (event.type === "execution-ended") return "ended";
      if (event.type === "execution-waiting" && (await options.endsHere())) return "ended";
    }
    if (events.length > 0 || buffer.length > 0) {
      // A gap that the journal cannot fill, as after an import, is none.
      const next = buffer.find(isDurable);
      if (events.length === 0 && next !== undefined) cursor = next.seq - 1;
      return "more";
    }
    const found = await store.execution(tenant, executionId);
    if (found === undefined || found.execution.endedAt !== null) {
      const late = await store.journal(tenant, contextId, cursor, 1);
      if (late.length === 0) return "ended";
      return "more";
    }
    await waitForMore(POLL_MS);
    return "more";
  }

  function waitForMore(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = ms === undefined ? () => {} : clock.after(ms, () => wake(), { keepAlive: true });
      wake = () => {
        wake = () => {};
        cancel();
        resolve();
      };
    });
  }

  return {
    offer(event) {
      if (closed || lagging) return;
      if (buffer.length >= MAX_BUFFERED) {
        buffer = [];
        lagging = true;
      } else {
        buffer.push(event);
      }
      wake();
    },
    lookAgain: () => wake(),
    close,
    // What an event of a type tells is said in one place, `EventData`, and made by the engine alone.
    [Symbol.asyncIterator]: () => read() as AsyncGenerator<ThreadEvent, void, void>,
  };
}
