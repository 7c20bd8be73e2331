import type { JsonObject } from "@hebra/core";
import type { Lease, LockManager } from "@hebra/lock";
import type { Trigger } from "../engine/trigger.ts";
import type { ThreadStore } from "../store/store.ts";
import type { RouterOutcome } from "./router-outcome.ts";

/** A turn that the old engine is to run, under the conversation's lease. */
export interface LegacyTurn {
  readonly tenant: string;
  /** The conversation. */
  readonly session: string;
  /** The trigger's id: the same when the turn is delivered again after a crash. */
  readonly id: string;
  readonly channel: string | undefined;
  readonly text: string | undefined;
  readonly parts: Trigger["parts"];
  readonly metadata: JsonObject;
  /** Grows with each holder of the conversation: a store refuses writes with a smaller one. */
  readonly fence: number;
  /** Aborts when the lease is lost or the runtime gives the turn up. */
  readonly signal: AbortSignal;
  /** Passes a chunk of the old stream to whoever reads the turn of a direct call. */
  write(chunk: object): void;
}

/** How the old engine's turn came out. */
export interface LegacyResult extends RouterOutcome {
  /** What is sent to the chat, in order. Empty for a failed turn: the runtime's `failureText` is sent. */
  readonly texts: readonly string[];
}

/** A conversation that changes its engine, before its first turn on the other one. */
export interface EngineChange {
  readonly tenant: string;
  readonly session: string;
  /** Stable for this change: it may be asked for again after a crash. */
  readonly id: string;
  /** When the session came to the new engine, in milliseconds since the epoch; `undefined` when nobody knows. */
  readonly since: number | undefined;
  /** The runtime's own. */
  readonly store: ThreadStore;
  readonly locks: LockManager;
  /** The conversation's, held by the runtime. */
  readonly lease: Lease;
}

/** The engine that a rollout replaces. `bothWays` of `@hebra/thread/legacy` makes `handBack` and `catchUp`. */
export interface LegacyEngine {
  /**
   * Runs one turn. When it rejects, the message is delivered again; a turn that failed for good resolves with the
   * status `failed`.
   */
  answer(turn: LegacyTurn): Promise<LegacyResult>;
  /** Takes over what the new engine wrote, before the first turn after a kill or a rollback. */
  handBack?(change: EngineChange): Promise<void>;
  /**
   * Brings the conversation's history into the thread store, before its first turn there. Without it only those
   * conversations change to the new engine for which the router's `migrated` says so.
   */
  catchUp?(change: EngineChange): Promise<void>;
  /**
   * Accepts that after a rollback the old engine does not know what the new one wrote, in place of `handBack`.
   * @defaultValue false
   */
  withoutHandBack?: boolean;
}
