import type { LiveEvent } from "./envelope.ts";

/** Which turn. */
export interface TailTurn {
  tenant: string;
  executionId: string;
}

/** A live event, or the mark of a write: the journal now has all up to `seq`. */
export type TailRecord = LiveEvent | { type: "committed"; seq: number };

/** What was read of a tail. */
export interface TailPage {
  records: readonly TailRecord[];
  /** Where the next reading begins. */
  position: string | undefined;
}

/**
 * Carries what happens between two writes to readers in other processes. It is a convenience: whatever it loses,
 * readers get from the journal after a `step-reset`. Adapters: `memoryTail`, `redisTail`, `postgresTail`.
 */
export interface LiveTail {
  /** Adds records in order. The oldest ones of a turn go when there are too many. */
  append(turn: TailTurn, records: readonly TailRecord[]): Promise<void>;
  /** What came after a position, at most one page of it; without a position, from the oldest that is kept. */
  read(turn: TailTurn, after?: string): Promise<TailPage>;
  /** Calls back when there may be more to read; it may call for nothing, and miss news. @returns stops watching */
  watch(turn: TailTurn, onNews: () => void): () => void;
  /** The turn has ended: its records go soon. */
  end(turn: TailTurn): Promise<void>;
  close(): Promise<void>;
}

/** Appends of a turn that are kept: each holds the records of about one frame. */
export const KEPT_BATCHES = 2_048;
/** Milliseconds that the records of a turn outlive its last record, and its end. */
export const IDLE_MS = 600_000;
export const ENDED_MS = 60_000;
/** Batches that are read at once. */
export const PAGE_BATCHES = 64;

export const turnKey = ({ tenant, executionId }: TailTurn): string => JSON.stringify([tenant, executionId]);
