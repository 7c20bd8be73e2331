import type { Clock, JsonValue, Logger } from "@hebra/core";
import type { LockManager } from "@hebra/lock";
import type { Reactor } from "@hebra/reactor";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import type { ThreadStore } from "../../store/store.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import type { EngineTelemetry } from "../engine-telemetry.ts";
import type { TurnRows } from "../rows/draft.ts";
import type { AnswerLimits } from "../turn/answer.ts";
import type { TurnWork } from "../turn/running-turn.ts";
import type { DriveTarget } from "./drive-target.ts";
import type { LocalTurns } from "./local-turns.ts";
import type { StuckList } from "./stuck.ts";

/** What the driver needs of the engine. */
export interface DriverOptions {
  store: ThreadStore;
  locks: LockManager;
  clock: Clock;
  random: () => number;
  logger: Logger;
  telemetry: EngineTelemetry;
  turns: LocalTurns;
  historyItems: number;
  settleWindowMs: number;
  maxAttempts: number;
  answerLimits: AnswerLimits;
  readFile: ((url: string) => Promise<string>) | undefined;
  blobs: BlobStore | undefined;
  leaseTtlMs: number;
  /** Outages are waited out by this process, as no other one is there to go on. */
  patient: boolean;
  stuck: StuckList;
  definition(name: string): AnyThreadDefinition | undefined;
  reactor(definition: AnyThreadDefinition): Reactor | Promise<Reactor>;
  /** What an ended turn sends. */
  outgoing?: ((target: DriveTarget, rows: TurnRows) => readonly JsonValue[]) | undefined;
  /** Says that a thread has work, for others to take it; without it this process waits for the lease itself. */
  wake?: ((target: DriveTarget) => void) | undefined;
  /** Aborts when the engine is closed. */
  closed: AbortSignal;
}

/** A turn that has begun under a lease and now runs. */
export type StartedWork = Omit<TurnWork, "signal" | "fence"> & {
  /** The inbox's sequence number up to which nothing waits behind the turn. */
  nothingQueuedAt?: number | undefined;
};
