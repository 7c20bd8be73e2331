import type { ThreadStore } from "../store/store.ts";
import { errorCode, type Clock } from "@hebra/core";
import type { Cursor } from "./cursor.ts";
import { ENVELOPE_VERSION, isDurable, type AnyEvent, type DurableEvent, type ThreadEvent } from "./envelope.ts";
import { createLiveReader } from "./live-reader.ts";
import type { LiveTail, TailRecord } from "./live-tail.ts";
import type { Ring } from "./ring.ts";
import { createSource } from "./source.ts";

/** A reader of one execution's events. */
export interface Subscription extends AsyncIterable<ThreadEvent> {
  /** Says that this process published, or stopped to. Never blocks: the reader reads when it has the time. */
  wake(): void;
  close(): void;
}

/** What a reader of one execution works with. */
export interface SubscriptionOptions {
  store: ThreadStore;
  clock: Clock;
  tenant: string;
  contextId: string;
  executionId: string;
  after: Cursor;
  /** A sequence number before the turn's first event. */
  firstSeq: number;
  /** Whether reading ends where the turn began to wait, as it waits still: a later reader finds more in the journal. */
  endsHere(): Promise<boolean>;
  /** Aborts when the engine is closed. */
  engineClosed: AbortSignal;
  /** What this process published of the execution, if it runs here or did a moment ago. */
  ring(): Ring | undefined;
  /** Whether this process runs the execution. */
  isHere(): boolean;
  /** What other processes publish. */
  tail: LiveTail | undefined;
  onClose(): void;
}

/** The last durable event that comes before a record. */
const placeOf = (record: AnyEvent | TailRecord): number =>
  record.type === "committed" ? 0 : isDurable(record) ? record.seq - 1 : record.afterSeq;

/** Milliseconds between two looks into the journal while the turn runs elsewhere; with a tail, for lost news. */
const POLL_MS = 250;
const POLL_WITH_TAIL_MS = 1_000;
const PAGE = 256;

/**
 * Reads an execution from a place until it waits for people or has ended: every event once and in order, whichever
 * process runs it, or a `step-reset` where live ones are lost. It holds one page of events, however slow its reader is.
 * A reader whose engine or store is closed gets `stream-closed` as its last event.
 */
export function createSubscription(options: SubscriptionOptions): Subscription {
  const { store, clock, tenant, contextId, executionId, tail } = options;
  const base = { v: ENVELOPE_VERSION, tenant, contextId, executionId, partIndex: -1, data: {} } as const;
  const makeReader = (recorded: ReadonlySet<string>) =>
    createLiveReader(options.after, {
      recorded,
      make: ({ lost, ...place }) => ({
        ...base,
        ...place,
        at: clock.now(),
        attempt: 0,
        type: "step-reset",
        data: lost ? { lost } : {},
      }),
    });
  let live = makeReader(new Set());
  const source = createSource({ tenant, executionId }, options.ring, options.isHere, tail);
  let cursor = options.after.seq;
  /** There may be more in the journal. */
  let journalHasMore = true;
  let over = false;
  let closed = false;
  let hasNews = false;
  let wake = () => {};
  const news = () => {
    hasNews = true;
    wake();
  };

  function close(): void {
    if (closed) return;
    closed = true;
    options.onClose();
    wake();
  }

  async function* read(): AsyncGenerator<AnyEvent, void, void> {
    options.engineClosed.addEventListener("abort", news, { once: true });
    const unwatch = tail?.watch({ tenant, executionId }, news);
    try {
      if (!options.after.live && options.after.seq > options.firstSeq) live = makeReader(await recordedSteps());
      yield* readOn();
    } catch (error) {
      if (errorCode(error) !== "CLOSED") throw error;
      yield closedEvent();
    } finally {
      options.engineClosed.removeEventListener("abort", news);
      unwatch?.();
      close();
    }
  }

  /** A reader of whole parts has those of these steps. */
  async function recordedSteps(): Promise<ReadonlySet<string>> {
    const graph = await store.execution(tenant, executionId);
    return new Set(graph?.parts.flatMap((part) => (part.stepId === null ? [] : [part.stepId])));
  }

  const closedEvent = (): AnyEvent => ({
    ...base,
    at: clock.now(),
    stepId: "",
    attempt: 0,
    run: "",
    fence: 0,
    index: 0,
    afterSeq: cursor,
    type: "stream-closed",
  });

  async function* readOn(): AsyncGenerator<AnyEvent, void, void> {
    while (!closed && !over) {
      hasNews = false;
      const records = await source.read();
      for (const record of records) {
        yield* accept(record);
        if (over) return;
      }
      if (records.length > 0) continue;
      if (options.engineClosed.aborted) return yield closedEvent();
      if (journalHasMore) yield* fromJournal();
      else if (!hasNews) await waitForMore();
    }
  }

  async function* accept(record: AnyEvent | TailRecord): AsyncGenerator<AnyEvent, void, void> {
    if (record.type === "committed") {
      if (record.seq > cursor) journalHasMore = true;
      return;
    }
    if (isDurable(record)) {
      if (record.seq > cursor + 1) yield* upTo(record.seq - 1);
      if (!over && record.seq === cursor + 1) yield* deliver(record);
      return;
    }
    if (record.afterSeq > cursor) yield* upTo(record.afterSeq);
    if (!over) yield* live.live(record);
  }

  /** Everything in the journal up to a number. A gap that it cannot fill, as after an import, is none. */
  async function* upTo(seq: number): AsyncGenerator<AnyEvent, void, void> {
    while (cursor < seq && !over) {
      const events = await store.journal(tenant, contextId, cursor, Math.min(PAGE, seq - cursor));
      const inside = events.filter((event) => event.seq <= seq);
      if (inside.length === 0) cursor = seq;
      yield* deliverAll(inside);
    }
  }

  /** A page of the journal, after the live events that were before it: they are in the tail by now. */
  async function* fromJournal(): AsyncGenerator<AnyEvent, void, void> {
    const events = await store.journal(tenant, contextId, cursor, PAGE);
    if (events.length > 0) {
      for (const record of await source.read()) {
        while (events[0] !== undefined && events[0].seq <= placeOf(record) && !over) yield* deliverNew(events.shift()!);
        yield* accept(record);
        if (over) return;
      }
      for (const event of events) if (!over) yield* deliverNew(event);
      return;
    }
    journalHasMore = false;
    const found = await store.execution(tenant, executionId);
    if (found !== undefined && found.execution.endedAt === null) return;
    const late = await store.journal(tenant, contextId, cursor, 1);
    if (late.length === 0) over = true;
    else journalHasMore = true;
  }

  async function* deliverAll(events: readonly DurableEvent[]): AsyncGenerator<AnyEvent, void, void> {
    for (const event of events) {
      if (over) return;
      yield* deliver(event);
    }
  }

  /** Unless it came by the other way in the meantime. */
  async function* deliverNew(event: DurableEvent): AsyncGenerator<AnyEvent, void, void> {
    if (event.seq > cursor) yield* deliver(event);
  }

  async function* deliver(event: DurableEvent): AsyncGenerator<AnyEvent, void, void> {
    cursor = event.seq;
    if (event.executionId !== executionId) return;
    yield* live.durable(event);
    yield event;
    over = event.type === "execution-ended" || (event.type === "execution-waiting" && (await options.endsHere()));
  }

  /** Until there are news, or it is time to look into the journal. */
  function waitForMore(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        journalHasMore = true;
        wake();
      };
      const ms = tail === undefined ? POLL_MS : POLL_WITH_TAIL_MS;
      const cancel = options.isHere() ? () => {} : clock.after(ms, look, { keepAlive: true });
      wake = () => {
        wake = () => {};
        cancel();
        resolve();
      };
    });
  }

  return {
    wake: news,
    close,
    // What an event of a type tells is said in one place, `EventData`, and made by the engine alone.
    [Symbol.asyncIterator]: () => read() as AsyncGenerator<ThreadEvent, void, void>,
  };
}
