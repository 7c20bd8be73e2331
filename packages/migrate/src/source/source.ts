import type { JsonObject } from "@hebra/core";
import type { Note } from "../mapping/clean-row.ts";
import type { Reject } from "../mapping/transform.ts";

/** A context of the old engine with all that hangs on it. */
export interface StoryGroup {
  context: JsonObject;
  events: JsonObject[];
  executions: JsonObject[];
  steps: JsonObject[];
  parts: JsonObject[];
  /**
   * The main context of the thread, when this context is another line of it: it names the thread. @defaultValue
   * `context`
   */
  main?: JsonObject;
}

/** What a source holds: what a plan is pinned to. */
export interface SourceInventory {
  entities: { entity: string; rows: number; sha256: string }[];
  contexts: number;
  /** Rows that belong to no context: unreadable, orphaned, or there twice. */
  rejects: Reject[];
  /** What was repaired while the rows were read. */
  notes: Note[];
}

/** Rows of the old engine. Reading changes nothing. */
export interface StorySource {
  /** @throws HebraError `SOURCE_INVALID` */
  inventory(): Promise<SourceInventory>;
  /** Every context once, by id. Memory does not grow with the size of the source's rows. */
  groups(): AsyncIterable<StoryGroup>;
}
