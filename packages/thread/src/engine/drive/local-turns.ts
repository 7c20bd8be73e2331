import type { AnyEvent } from "../../stream/envelope.ts";
import type { Subscription } from "../../stream/subscription.ts";
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
  subscribe(executionId: string, subscription: Subscription): () => void;
}

export function createLocalTurns(): LocalTurns {
  const running = new Set<string>();
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

  function leave(executionId: string): void {
    running.delete(executionId);
    for (const reader of readers.get(executionId) ?? []) reader.lookAgain();
  }

  return {
    isRunning: (executionId) => running.has(executionId),
    begin: (executionId) => void running.add(executionId),
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
      for (const reader of readers.get(event.executionId) ?? []) reader.offer(event);
    },
    subscribe: (executionId, subscription) => add(readers, executionId, subscription),
  };
}
