import type { JsonObject } from "@hebra/core";

/** A context of the old engine with all that hangs on it, as its rows are. */
export interface LegacyGroup {
  /** A row of `context_contexts`. */
  context: JsonObject;
  /** Rows of `context_events`. */
  events: JsonObject[];
  /** Rows of `story_executions`. */
  executions: JsonObject[];
  /** Rows of `story_steps`. */
  steps: JsonObject[];
  /** Rows of `story_parts`. */
  parts: JsonObject[];
}

/** How to page through the contexts of the old engine. */
export interface LegacyPage {
  limit: number;
  /** Where to go on: what the page before gave. */
  cursor?: string;
  /** Only contexts whose key begins so. */
  keyPrefix?: string;
}

/** Reads the rows of the old engine, wherever they are. Nothing is ever written through it. */
export interface LegacyReader {
  /** The context of an application's key. One without a key goes by its id. */
  byKey(tenant: string, key: string): Promise<LegacyGroup | undefined>;
  byContextId(tenant: string, contextId: string): Promise<LegacyGroup | undefined>;
  /** The context that an execution belongs to. Without it, `execution` answers for the thread store's own alone. */
  byExecutionId?(tenant: string, executionId: string): Promise<LegacyGroup | undefined>;
  /** The rows of `context_contexts`, in any lasting order. Without it, `list` shows the thread store's own alone. */
  list?(tenant: string, page: LegacyPage): Promise<{ contexts: JsonObject[]; cursor: string | undefined }>;
  close?(): Promise<void>;
}
