import type { AnyEvent } from "../../stream/envelope.ts";
import { createRing, type Ring } from "../../stream/ring.ts";
import type { Subscription } from "../../stream/subscription.ts";
import type { TailWriter } from "../../stream/tail-writer.ts";
import type { TurnResult } from "../rows/turn-result.ts";

/** The turns and readers of this process. */
export interface LocalTurns {
  /** Whether this process runs the execution now. */
  isRunning(executionId: string): boolean;
  begin(executionId: string): void;
  /** The execution has left this process: ended or waiting with a result, or given up with an error. */
  end(executionId: string, outcome: { result: TurnResult } | { error: unknown }): void;
  /** The execution does not run in this process for now; who waits for it waits on. */
  leave(executionId: string): void;
  /** Calls back once when the execution leaves this process. @returns stops waiting */
  onEnd(executionId: string, callback: (outcome: { result: TurnResult } | { error: unknown }) => void): () => void;
  publish(event: AnyEvent): void;
  /** Resolves when readers elsewhere can see what was published, or are told that they missed it. */
  flush(executionId: string): Promise<void>;
  /** What was published since the execution began to run here, while it does and for a while after. */
  ring(executionId: string): Ring | undefined;
  subscribe(executionId: string, subscription: Subscription): () => void;
}

const MAX_RECENT_EVENTS = 8_192;

/** @param writer - takes what is published to readers of other processes */
export function createLocalTurns(writer?: TailWriter): LocalTurns {
  const running = new Map<string, Ring>();
  /** For readers that come, or come back, just after a turn has left: the newest ones, as far as they fit. */
  const recent = new Map<string, Ring>();
  let recentEvents = 0;
  const waiters = new Map<string, Set<(outcome: { result: TurnResult } | { error: unknown }) => void>>();
  const readers = new Map<string, Set<Subscription>>();

  const add = <T>(map: Map<string, Set<T>>, key: string, value: T) => {
    const set = map.get(key) ?? new Set();
    map.set(key, set.add(value));
    return () => {
      set.delete(value);
      if (set.size === 0 && map.get(key) === set) map.delete(key);
    };
  };

  function keep(executionId: string, ring: Ring): void {
    forget(executionId);
    recent.set(executionId, ring);
    recentEvents += ring.size;
    for (const [oldest] of recent) if (recentEvents > MAX_RECENT_EVENTS) forget(oldest);
  }

  function forget(executionId: string): void {
    recentEvents -= recent.get(executionId)?.size ?? 0;
    recent.delete(executionId);
  }

  function leave(executionId: string): void {
    const ring = running.get(executionId);
    running.delete(executionId);
    if (ring !== undefined) keep(executionId, ring);
    wake(executionId);
  }

  function wake(executionId: string): void {
    for (const reader of readers.get(executionId) ?? []) reader.wake();
  }

  return {
    isRunning: (executionId) => running.has(executionId),
    ring: (executionId) => running.get(executionId) ?? recent.get(executionId),
    begin: (executionId) => void running.set(executionId, createRing()),
    flush: async (executionId) => writer?.flush(executionId),
    end(executionId, outcome) {
      leave(executionId);
      const waiting = waiters.get(executionId);
      waiters.delete(executionId);
      for (const callback of waiting ?? []) callback(outcome);
    },
    leave,
    onEnd: (executionId, callback) => add(waiters, executionId, callback),
    publish(event) {
      if (event.executionId === null) return;
      running.get(event.executionId)?.push(event);
      writer?.push(event);
      wake(event.executionId);
    },
    subscribe: (executionId, subscription) => add(readers, executionId, subscription),
  };
}
