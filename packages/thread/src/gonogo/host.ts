import type { HistoryEntry, ContextBundle } from "../store/store.ts";

/** What a span says of where it belongs. */
export interface SeenSpan {
  name: string;
  executionId?: string;
  contextId?: string;
  runId?: string;
  /** The trace that it belongs to. */
  traceId?: string;
}

/**
 * How a suite reaches what it checks. A member that a host leaves out is a bar that cannot be measured, and does not
 * hold;
 * a deployed host that can only be called over HTTP brings checks of its own instead.
 */
export interface GoNoGoHost {
  /** For the report. */
  name: string;
  /**
   * Plays one turn on the new engine, in a session of its own, in which at least one action is called; waits for its
   * end.
   *
   * @param session - one that has not been before.
   */
  react?(session: string, trigger: { id: string; text: string }): Promise<{ executionId: string; contextId: string }>;
  /** Every row of a session. */
  rows?(session: string): Promise<ContextBundle | undefined>;
  /** Takes the same way as a user without the flag. @returns who served */
  withoutFlag?(session: string, text: string): Promise<{ engine: "legacy" | "new"; text: string }>;
  /** Conversations from before the migration, as they are served now, each with the number of items that it had. */
  oldHistories?(): AsyncIterable<{ id: string; expectedItems: number; entries: HistoryEntry[] }>;
  /** Begins a turn, cuts its process off in the middle, has another end it. `before`: the rows at the cut. */
  cutAndResume?(session: string): Promise<{ before: ContextBundle; after: ContextBundle }>;
  /**
   * Spans that a turn has left, wherever it ran: of the agent (`invoke_agent …`), its model's calls (`chat …`) and its
   * actions' (`execute_tool …`).
   */
  spans?(executionId: string): Promise<SeenSpan[]>;
}
