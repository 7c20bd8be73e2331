import { errorCode, HebraError, type Clock, type JsonValue } from "@hebra/core";
import type { ExecutionGraph, ThreadStore } from "../store/store.ts";
import { parseCursor, type Cursor } from "../stream/cursor.ts";
import type { ThreadEvent } from "../stream/envelope.ts";
import type { LiveTail } from "../stream/live-tail.ts";
import { createSubscription } from "../stream/subscription.ts";
import { hasNews } from "./turn/inbox.ts";
import type { LocalTurns } from "./drive/local-turns.ts";
import { documented } from "./turn/turn-errors.ts";
import { missingRows } from "./rows/missing-rows.ts";
import { turnResult, type TurnResult } from "./rows/turn-result.ts";

/** A turn that was accepted: it is stored, and will run even if this process does not live to see it. */
export interface TurnHandle<Output = JsonValue> {
  readonly tenant: string;
  readonly threadId: string;
  readonly contextId: string;
  readonly executionId: string;
  readonly triggerItemId: string;
  readonly reactionItemId: string;
  /** The trigger was known: this is the turn that its first delivery began. */
  readonly duplicate: boolean;
  /**
   * The turn's events from its first on, durable ones once and in order. Each iteration reads anew. The last one is
   * `execution-ended`; or `execution-waiting`, whose data names the approvals, when the turn waits for people; or
   * `stream-closed` after the engine or its store was closed.
   */
  readonly stream: AsyncIterable<ThreadEvent>;
  /**
   * As `stream`.
   *
   * @param options - `until`: `ended` reads on while the turn waits. @defaultValue "waiting". `after`: what `cursorOf`
   * says of the last event that a reader has, or a sequence number; live events of an open step then come from its
   * beginning
   * @throws HebraError `INVALID_OPTIONS` for what is no cursor
   */
  events(options?: { until?: "waiting" | "ended"; after?: string }): AsyncIterable<ThreadEvent>;
  /** The words of the answers as they come, without events. */
  readonly textStream: AsyncIterable<string>;
  /**
   * Resolves when the turn has ended, however it ended, or waits for a person. Of a message that joined another's turn
   * (`merge`, `steer`) it is that turn's result; when that turn is cancelled alone, the result of the message's own.
   *
   * Rejects with a {@link HebraError} when this process cannot tell how the turn ends: `CLOSED` after `close`;
   * `STALE_FENCE` or `VERSION_CONFLICT` when another holder has taken over; `DEFINITION_MISSING` while the conversation
   * waits for a definition that is gone; `EXECUTION_NOT_FOUND` when the turn was deleted; under a lease of the caller's
   * also `LOCK_LOST`, `LEASE_LOST` and what the store throws. The turn is then resumed, or goes on elsewhere.
   */
  readonly result: Promise<TurnResult<Output>>;
  /**
   * Whether the store has every row of the turn, read back when this is asked for, once the turn has ended. `undefined`
   * when it waits for a person. Rejects as `result`, and with what the store throws.
   */
  readonly verified: Promise<boolean | undefined>;
}

const POLL_MS = 250;

/** What a handle is made of. */
export interface HandleOptions {
  tenant: string;
  store: ThreadStore;
  clock: Clock;
  turns: LocalTurns;
  execution: { id: string; threadId: string; contextId: string; triggerItemId: string; reactionItemId: string };
  duplicate: boolean;
  /** The turn of the message itself, to which it goes back when the one that it joined is cancelled. */
  ownId?: string | undefined;
  /** What other processes publish of their turns. */
  tail: LiveTail | undefined;
  /** A sequence number before the turn's first event. */
  afterSeq: number;
  /** It was stored just now: there is nothing to look up yet. */
  isNew: boolean;
  /** Aborts when the engine is closed. */
  closed: AbortSignal;
  /** Why this process cannot go on with the conversation, if so. */
  whyStuck(): { error: unknown; retries: boolean } | undefined;
}

export function createHandle(options: HandleOptions): TurnHandle {
  const { tenant, execution, duplicate } = options;
  const result = waitForResult(options);
  // Whoever only reads the stream must not be told of a rejection that nobody handles.
  result.catch(() => undefined);
  return {
    tenant,
    threadId: execution.threadId,
    contextId: execution.contextId,
    executionId: execution.id,
    triggerItemId: execution.triggerItemId,
    reactionItemId: execution.reactionItemId,
    duplicate,
    result,
    get verified() {
      return verify(options, result);
    },
    stream: eventsOf(options, "waiting"),
    events: ({ until = "waiting", after } = {}) =>
      eventsOf(options, until, after === undefined ? undefined : parseCursor(after)),
    textStream: wordsOf(eventsOf(options, "waiting")),
  };
}

async function verify(
  { store, tenant, execution }: HandleOptions,
  result: Promise<TurnResult>,
): Promise<boolean | undefined> {
  const ended = await result;
  if (ended.status === "waiting") return undefined;
  return missingRows(ended, await store.execution(tenant, execution.id)).length === 0;
}

function eventsOf(
  { tenant, store, clock, turns, execution, afterSeq, closed, tail }: HandleOptions,
  until: "waiting" | "ended",
  after: Cursor = { seq: afterSeq, live: false },
): AsyncIterable<ThreadEvent> {
  return {
    [Symbol.asyncIterator]() {
      let unsubscribe = () => {};
      const subscription = createSubscription({
        store,
        clock,
        tenant,
        contextId: execution.contextId,
        executionId: execution.id,
        firstSeq: afterSeq,
        after: after.seq < afterSeq ? { seq: afterSeq, live: false } : after,
        engineClosed: closed,
        async endsHere() {
          if (until === "ended") return false;
          const found = await store.execution(tenant, execution.id);
          return found?.execution.status === "waiting" && !hasNews(found, clock.now());
        },
        ring: () => turns.ring(execution.id),
        isHere: () => turns.isRunning(execution.id),
        tail,
        onClose: () => unsubscribe(),
      });
      unsubscribe = turns.subscribe(execution.id, subscription);
      return subscription[Symbol.asyncIterator]();
    },
  };
}

/**
 * The text of a stream of events. A reader that missed the growing of a part gets the rest with the part; one of a step
 * that began anew gets the new words after the old.
 */
function wordsOf(events: AsyncIterable<ThreadEvent>): AsyncIterable<string> {
  return {
    async *[Symbol.asyncIterator]() {
      const seen = new Map<number, string>();
      const kinds = new Map<number, unknown>();
      for await (const event of events) {
        if (event.type === "step-reset") seen.clear();
        if (event.type === "part-started" && "partIndex" in event) kinds.set(event.partIndex, event.data["kind"]);
        if (event.type === "part-delta" && "partIndex" in event && kinds.get(event.partIndex) === "text") {
          const delta = String(event.data["delta"]);
          seen.set(event.partIndex, (seen.get(event.partIndex) ?? "") + delta);
          yield delta;
        }
        if (event.type !== "part-created") continue;
        const { index, part } = event.data as unknown as { index: number; part: { kind: string; text?: string } };
        if (part.kind !== "text") continue;
        const shown = seen.get(index) ?? "";
        seen.set(index, part.text ?? "");
        if (part.text !== undefined && part.text.startsWith(shown) && part.text.length > shown.length)
          yield part.text.slice(shown.length);
      }
    },
  };
}

/** From this process when the turn runs here, else from the store, which is asked again until it knows. */
function waitForResult(options: HandleOptions): Promise<TurnResult> {
  const { tenant, store, clock, turns, execution, ownId = execution.id, isNew, closed } = options;
  return new Promise((resolve, reject) => {
    let cancelPoll = () => {};
    /** The turn that is waited for; and what came of the one that the message joined, once it waits for its own. */
    let watched = execution.id;
    let joined: { result: TurnResult } | undefined;
    const stop = () => {
      forget();
      cancelPoll();
      closed.removeEventListener("abort", onClosed);
    };
    const finish = (outcome: { result: TurnResult } | { error: unknown }) => {
      if (watched !== ownId && "result" in outcome && outcome.result.status === "cancelled") return goOnAlone(outcome);
      stop();
      if ("result" in outcome) resolve(outcome.result);
      else reject(outcome.error);
    };
    const onClosed = () =>
      finish({
        error: new HebraError("CLOSED", "The engine was closed before the turn ended; it will be resumed.", {
          retryable: true,
        }),
      });
    let forget = turns.onEnd(watched, finish);
    const goOnAlone = (outcome: { result: TurnResult }) => {
      forget();
      joined = outcome;
      watched = ownId;
      forget = turns.onEnd(watched, finish);
      void poll().catch(giveUp);
    };
    const poll = async () => {
      if (!turns.isRunning(watched)) {
        const graph = await store.execution(tenant, watched);
        // Without a turn of its own it was cancelled with the one that it joined.
        const outcome = graph === undefined && joined !== undefined ? joined : outcomeOf(graph, options);
        if (outcome !== undefined) return finish(outcome);
      }
      pollLater();
    };
    const giveUp = (error: unknown) => {
      if (errorCode(error) === "CLOSED") onClosed();
      else if (HebraError.isInstance(error) && !error.retryable) finish({ error });
      else pollLater();
    };
    const pollLater = () => {
      cancelPoll = clock.after(POLL_MS, () => void poll().catch(giveUp), { keepAlive: true });
    };
    closed.addEventListener("abort", onClosed, { once: true });
    if (isNew || turns.isRunning(execution.id)) pollLater();
    else void poll().catch(giveUp);
  });
}

/** What is to be told of a turn that does not run in this process; nothing while it is still to go on. */
function outcomeOf(
  graph: ExecutionGraph | undefined,
  { execution, tenant, clock, whyStuck }: HandleOptions,
): { result: TurnResult } | { error: unknown } | undefined {
  if (graph === undefined)
    return {
      error: new HebraError("EXECUTION_NOT_FOUND", `The execution ${execution.id} is no longer there.`, {
        details: { tenant, executionId: execution.id },
      }),
    };
  const isOver =
    graph.execution.endedAt !== null || (graph.execution.status === "waiting" && !hasNews(graph, clock.now()));
  if (isOver) return { result: turnResult(graph.execution, graph.parts, graph.approvals) };
  const stuck = whyStuck();
  return stuck === undefined || stuck.retries ? undefined : { error: documented(stuck.error) };
}
