import type { ErrorCode } from "@hebra/core";

/** A conversation that does not go on, and why. */
export interface StuckConversation {
  tenant: string;
  threadKey: string;
  contextId: string;
  /** Milliseconds since the epoch. */
  since: number;
  /** An error code: see `docs/errors.md`. */
  code: ErrorCode;
  message: string;
  /** Whether the engine tries it again by itself; else somebody has to do what the message says. */
  retries: boolean;
}

/** How an engine is. */
export interface EngineHealth {
  /** `degraded` while something is stuck, or the store cannot be read. */
  status: "ok" | "degraded";
  /** Conversations that this process works on or waits for. */
  active: number;
  /** Conversations that do not go on, and why; up to 1,000. */
  stuck: StuckConversation[];
  /** The last look for turns without an owner; `at` in milliseconds since the epoch, null before the first. */
  lastSweep: { at: number | null; error: { code: string; message: string } | null };
  /** Why the store could not be read just now. */
  store: { code: string; message: string } | null;
}
