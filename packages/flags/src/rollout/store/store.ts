import type { CounterRow } from "../counter-row.ts";
import type { EvidenceRecord } from "../evidence.ts";
import type { RolloutState } from "../state.ts";

/** One write: a new state and the evidence for it, together or not at all. */
export interface RolloutCommit {
  readonly state: RolloutState;
  readonly evidence: readonly EvidenceRecord[];
}

/**
 * Where rollouts, their evidence and the counters of all processes are kept. The contract, under
 * `@hebra/flags/testing`, says what each method must do.
 */
export interface RolloutStore {
  /** The flags that have a rollout, sorted. */
  list(): Promise<string[]>;
  read(flag: string): Promise<RolloutState | undefined>;
  /**
   * Writes when what is stored has revision `state.revision - 1` (0: nothing is stored) and a fence that is not larger.
   *
   * @throws HebraError `ROLLOUT_CONFLICT` when somebody moved the rollout, `STALE_FENCE` when a newer controller wrote,
   * `UNREACHABLE`.
   */
  commit(commit: RolloutCommit): Promise<void>;
  /** All records of a flag, oldest first. */
  evidence(flag: string): Promise<EvidenceRecord[]>;
  /** Replaces rows of the same flag, source and start by ones with a larger `sequence`; others are left alone. */
  report(rows: readonly CounterRow[]): Promise<void>;
  /** The rows of a flag whose block began at `from` or later, in any order. */
  counters(flag: string, from: number): Promise<CounterRow[]>;
  /** Forgets rows whose block ended before. */
  prune(flag: string, before: number): Promise<void>;
  /** Hears that a rollout was written, by any process. Absent: the backend cannot tell. @returns stops */
  watch?(listener: (flag: string) => void): () => void;
  /** Lets go of everything. */
  close(): Promise<void>;
}
