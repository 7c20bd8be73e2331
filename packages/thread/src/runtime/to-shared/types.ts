import type { Clock, Logger } from "@hebra/core";
import type { RuntimeConfig } from "../config.ts";
import type { MoveProgress, MoveStep } from "../to-local/types.ts";

/** Which local conversations move, and to which shared backends. */
export interface MoveToSharedOptions {
  /** The shared configuration, with its secrets in place. */
  config: RuntimeConfig;
  /** The SQLite file of the local process. @defaultValue `store.path` of the configuration */
  path?: string;
  /** Where the move keeps its notes and an export of all threads. Pass the same one at each repetition. */
  directory: string;
  /** Milliseconds that a live local process has to finish its turns. @defaultValue 60 000 */
  drainMs?: number;
  /** Milliseconds for the whole move. @defaultValue 300 000 */
  deadlineMs?: number;
  onProgress?: (progress: MoveProgress) => void;
  /** Interrupts the move. Before anything was copied the intake opens again; later, a repetition continues. */
  signal?: AbortSignal;
  clock?: Clock;
  /** @defaultValue one that drops everything */
  logger?: Logger;
}

/** The result of a move to shared backends. */
export interface MoveToSharedReport {
  /** Milliseconds, of this run. */
  ms: number;
  steps: { step: MoveStep; ms: number }[];
  /** What the shared bus was given in this run. */
  published: {
    /** Conversations with turns that wait, or that were interrupted. */
    woken: number;
    /** Conversations with replies that no channel had yet. */
    unsent: number;
    /** Scheduled messages, and messages and replies without a turn of their own. */
    carried: number;
  };
  contexts: number;
  /** Rows by table. */
  counts: Record<string, number>;
  /** SHA-256 of everything that was copied, the same on both sides. */
  digest: string;
}
