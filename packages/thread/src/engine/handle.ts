import { errorCode, HebraError, type Clock } from "@hebra/core";
import type { ThreadStore } from "../store/store.ts";
import type { ThreadEvent } from "../stream/envelope.ts";
import { createSubscription } from "../stream/subscription.ts";
import { hasNews } from "./turn/inbox.ts";
import type { LocalTurns } from "./drive/local-turns.ts";
import { turnResult, type TurnResult } from "./rows/turn-result.ts";

/** A turn that was accepted: it is stored, and will run even if this process does not live to see it. */
export interface TurnHandle {
  readonly tenant: string;
  readonly threadId: string;
  readonly contextId: string;
  readonly executionId: string;
  readonly triggerItemId: string;
  readonly reactionItemId: string;
  /** The trigger was known: this is the turn that its first delivery began. */
  readonly duplicate: boolean;
  /**
   * The turn's events from its first on, durable ones once and in order, until it has ended. Each iteration reads anew.
   */
  readonly stream: AsyncIterable<ThreadEvent>;
  /**
   * Resolves when the turn has ended, however it ended, or waits for a person.
   *
   * Rejects when this process had to give the turn up: `STALE_FENCE` or `LOCK_LOST` when another holder has taken over,
   * `CLOSED` after `close`. The turn then goes on elsewhere or is resumed.
   */
  readonly result: Promise<TurnResult>;
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
  /** A sequence number before the turn's first event. */
  afterSeq: number;
  /** It was stored just now: there is nothing to look up yet. */
  isNew: boolean;
  /** Aborts when the engine is closed. */
  closed: AbortSignal;
}

export function createHandle(options: HandleOptions): TurnHandle {
  const { tenant, store, clock, turns, execution, duplicate } = options;
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
    stream: {
      [Symbol.asyncIterator]() {
        let unsubscribe = () => {};
        const subscription = createSubscription({
          store,
          clock,
          tenant,
          contextId: execution.contextId,
          executionId: execution.id,
          afterSeq: options.afterSeq,
          isLocal: () => turns.isRunning(execution.id),
          onClose: () => unsubscribe(),
        });
        unsubscribe = turns.subscribe(execution.id, subscription);
        return subscription[Symbol.asyncIterator]();
      },
    },
  };
}

/** From this process when the turn runs here, else from the store, which is asked again until it knows. */
function waitForResult({ tenant, store, clock, turns, execution, isNew, closed }: HandleOptions): Promise<TurnResult> {
  return new Promise((resolve, reject) => {
    let cancelPoll = () => {};
    const stop = () => {
      forget();
      cancelPoll();
      closed.removeEventListener("abort", onClosed);
    };
    const finish = (outcome: { result: TurnResult } | { error: unknown }) => {
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
    const forget = turns.onEnd(execution.id, finish);
    const poll = async () => {
      if (!turns.isRunning(execution.id)) {
        const graph = await store.execution(tenant, execution.id);
        if (
          graph !== undefined &&
          (graph.execution.endedAt !== null || (graph.execution.status === "waiting" && !hasNews(graph, clock.now())))
        ) {
          return finish({ result: turnResult(graph.execution, graph.parts, graph.approvals) });
        }
      }
      pollLater();
    };
    const giveUp = (error: unknown) => {
      if (errorCode(error) === "CLOSED") onClosed();
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
