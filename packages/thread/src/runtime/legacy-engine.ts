import type { JsonObject } from "@hebra/core";
import type { Trigger } from "../engine/trigger.ts";
import type { LegacyRows } from "../legacy/handover.ts";
import type { MappedGroup } from "../legacy/read-through/legacy-store.ts";
import type { LegacyGroup, LegacyReader } from "../legacy/read-through/reader.ts";
import type { RouterOutcome } from "./engine-router.ts";

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

/** What the new engine has written in a conversation that goes back. */
export interface HandBack {
  readonly tenant: string;
  readonly session: string;
  /** Rows of every turn that the new engine ended there. Write them by id: they may come again. */
  readonly rows: LegacyRows;
  /** Stable for this switch. */
  readonly id: string;
  /** When the session came to the new engine, in milliseconds since the epoch; `undefined` when nobody knows. */
  readonly since: number | undefined;
}

/** The engine that a rollout replaces. */
export interface LegacyEngine {
  /**
   * Runs one turn. When it rejects, the message is delivered again; a turn that failed for good resolves with the status
   * `failed`.
   */
  answer(turn: LegacyTurn): Promise<LegacyResult>;
  /** Takes over what the new engine wrote, before the first turn after a kill or a rollback. */
  handBack?(request: HandBack): Promise<void>;
  /**
   * The old engine's rows, from which a conversation gets its history before its first turn on the new engine. Without
   * it only conversations change to the new engine for which the router's `migrated` says so.
   */
  history?: {
    readonly reader: LegacyReader;
    /** Maps the rows of one context: `storyBundle` of `@hebra/migrate`. */
    toBundle(group: LegacyGroup): MappedGroup | Promise<MappedGroup>;
  };
  /**
   * Accepts that after a rollback the old engine does not know what the new one wrote, in place of `handBack`.
   * @defaultValue false
   */
  withoutHandBack?: boolean;
}
