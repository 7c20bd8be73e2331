import type { Clock, Logger } from "@hebra/core";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import type { RuntimeConfig } from "../config.ts";
import type { Router } from "../route.ts";

/** What a move does, in this order: `move` only back to local, `publish` only to shared backends. */
export type MoveStep =
  | "check"
  | "pause"
  | "drain"
  | "stop"
  | "move"
  | "export"
  | "import"
  | "switch"
  | "publish"
  | "verify";

/** How far a move is. */
export interface MoveProgress {
  step: MoveStep;
  state: "begun" | "going" | "done";
  /** Milliseconds since the step began. */
  ms: number;
  /** For people. */
  text: string;
}

/** What moves, and where to. */
export interface MoveToLocalOptions {
  /** The distributed configuration, with its secrets in place. */
  config: RuntimeConfig;
  /** Whom messages wait for: their definitions, as the gateway and the workers have them. */
  threads: readonly AnyThreadDefinition[];
  /** As the gateway and the workers have it. @defaultValue the definition that the message names, or the only one */
  route?: Router;
  /** The SQLite file to be. It must not be there yet. Where the store is one already, it stays. */
  path: string;
  /** Where the move keeps its notes, and copies of what it leaves behind: the same at every repetition. */
  directory: string;
  /**
   * Makes the deployment's configuration a local one. It is called once the copy is complete, and at a repetition
   * again.
   */
  switchOver(local: RuntimeConfig): Promise<void>;
  /**
   * Milliseconds that live workers and gateways have to empty the bus before the rest of it is moved. @defaultValue 60
   * 000
   */
  drainMs?: number;
  /** Milliseconds for everything. @defaultValue 300 000 */
  deadlineMs?: number;
  onProgress?: (progress: MoveProgress) => void;
  /** Breaks the move off: before anything was moved the intake is opened again, later a repetition goes on. */
  signal?: AbortSignal;
  clock?: Clock;
  /** @defaultValue one that says nothing */
  logger?: Logger;
}

/** What became of a move. */
export interface MoveReport {
  /** Milliseconds, of this run. */
  ms: number;
  steps: { step: MoveStep; ms: number }[];
  /** Messages, of all runs of this move. */
  moved: {
    /** Became queued executions. */
    queued: number;
    /** For later: they are given to the local bus at their time. */
    scheduled: number;
    /** Replies that no channel had yet. */
    replies: number;
    /** Other inbound ones: wakes, and messages of an older engine. */
    others: number;
  };
  /** Dead letters of the old bus, kept in the directory. */
  deadLetters: number;
  contexts: number;
  /** Rows by table. */
  counts: Record<string, number>;
  /** Of everything that was copied; the same on both sides. */
  digest: string;
}
