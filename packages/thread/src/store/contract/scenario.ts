import assert from "node:assert/strict";
import { errorCode, type ErrorCode, type HebraError, type JsonValue } from "@hebra/core";
import type { ThreadStore } from "../store.ts";

/** What a backend gives the contract. */
export interface StoreContractOptions {
  /** A store over empty tables, or at least over none of the tenant that it is asked for. The contract closes it. */
  create(): Promise<ThreadStore>;
  /**
   * Another store over the data of a store that was made before, as a process started later would open it. Left out
   * where
   * the data does not outlive its store.
   */
  reopen?(store: ThreadStore): Promise<ThreadStore>;
  /**
   * Sets the schema version of a stored item, as another build would have written it. Left out where there is no way.
   *
   * @param content - the content as JSON text, when that build wrote it differently
   */
  age?(store: ThreadStore, at: { tenant: string; contextId: string; itemId: string }, v: number): Promise<void>;
}

/** What one clause works with. */
export interface Scenario {
  store: ThreadStore;
  /** A tenant that no other clause uses. */
  tenant: string;
  options: StoreContractOptions;
}

/** One promise of the port. */
export type Clause = (scenario: Scenario) => Promise<void>;

/** Fails unless a promise rejects with a code. @returns the error */
export async function rejects(promise: Promise<unknown>, code: ErrorCode): Promise<HebraError> {
  let caught: unknown;
  try {
    await promise;
  } catch (error) {
    caught = error;
  }
  assert.ok(caught !== undefined, `expected ${code}, but it succeeded`);
  if (errorCode(caught) !== code)
    throw new assert.AssertionError({
      message: `expected ${code}, got ${String(caught)}`,
      actual: errorCode(caught),
      expected: code,
    });
  return caught as HebraError;
}

/** Equal as JSON documents: key order does not matter, absent and undefined do not differ. */
export function same(actual: unknown, expected: unknown, message?: string): void {
  assert.deepEqual(plain(actual), plain(expected), message);
}

function plain(value: unknown): JsonValue | undefined {
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as JsonValue);
}

/** Waits until something holds, for news that take their way through a server. */
export async function eventually(holds: () => boolean, what: string): Promise<void> {
  const start = performance.now();
  while (!holds()) {
    assert.ok(performance.now() - start < 5_000, `${what} did not happen within five seconds`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
