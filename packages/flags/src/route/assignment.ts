import type { Arm } from "../evaluate/types.ts";

/** Which engine a session has, and since when. */
export interface Assignment {
  readonly flag: string;
  readonly session: string;
  /** The organisation that the session belongs to: two tenants may give sessions the same id. */
  readonly tenant?: string | undefined;
  readonly mode: "legacy" | "new";
  /** The arm drawn when the assignment was made; `undefined` for units that were named, not drawn. */
  readonly arm: Arm | undefined;
  /** Version of the flag that made the assignment. */
  readonly flagVersion: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly lastSeenAt: number;
  /**
   * Since when the new engine may have written turns that the legacy rows do not hold, in milliseconds since the epoch;
   * `undefined` when none is due, 0
   * when it is not known because the assignment was lost.
   * Outlives the assignment's idle time, and is cleared by a handover alone.
   */
  readonly newSince: number | undefined;
  /** Whether the legacy engine has served this session. */
  readonly servedByLegacy: boolean;
  /** Whether the session was ended; the next turn makes a new assignment. */
  readonly ended: boolean;
  /** Grows by one with each write. */
  readonly revision: number;
}

/**
 * Where assignments are kept. The contract, under `@hebra/flags/testing`, says what each method must do. Keep them
 * longer than sessions are idle:
 * `newSince` must survive a quiet night.
 */
export interface AssignmentStore {
  /** The assignment last written. @throws HebraError `UNREACHABLE` */
  read(flag: string, session: string, tenant?: string): Promise<Assignment | undefined>;
  /**
   * Writes when what is stored has revision `assignment.revision - 1`; 0 stands for nothing stored.
   *
   * @returns whether it was written; `false` says that somebody else was first.
   * @throws HebraError `UNREACHABLE`
   */
  write(assignment: Assignment): Promise<boolean>;
}
