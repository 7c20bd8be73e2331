import type { JsonObject } from "@hebra/core";
import type { EntityMapping } from "../mapping/mapping.ts";
import { idOf, transformRow, type Reject } from "../mapping/transform.ts";
import { storyToThread, threadIdOf } from "./mapping.ts";

/** What decides which line of a thread a context is. */
export interface ContextMark {
  id: string;
  threadId: string;
  key: string;
  createdAt: number;
  /** False when the mapping rejects the row: such a context names no thread. */
  maps: boolean;
}

/** The lines of every thread. */
export interface ThreadLines {
  /** The main context of each context's thread, which may be the context itself. */
  mainOf: Map<string, string>;
  /** Contexts of a thread whose key belongs to another thread. */
  rejects: Reject[];
}

const contextEntities = storyToThread.entities.filter(({ from }) => from === "context_contexts");

export function markOf(row: JsonObject, id: string): ContextMark {
  const mapped = contextEntities.map((entity: EntityMapping) => transformRow(storyToThread, entity, row));
  const createdAt = mapped[0]?.ok === true ? Number(mapped[0].row["createdAt"]) : 0;
  const key = typeof row["key"] === "string" ? row["key"] : id;
  return { id, threadId: threadIdOf(row), key, createdAt, maps: mapped.every(({ ok }) => ok) };
}

/**
 * The oldest context of a thread is its main one and gives the thread its key; the others are further lines of the same
 * thread. A key belongs to the thread whose first context comes first in the source.
 */
export function linesOf(marks: readonly ContextMark[]): ThreadLines {
  const threads = new Map<string, ContextMark[]>();
  for (const mark of marks) {
    const lines = threads.get(mark.threadId);
    if (lines === undefined) threads.set(mark.threadId, [mark]);
    else lines.push(mark);
  }
  const found: ThreadLines = { mainOf: new Map(), rejects: [] };
  const keys = new Map<string, string>();
  for (const lines of threads.values()) {
    const main = lines.filter(({ maps }) => maps).sort(byAge)[0] ?? lines[0]!;
    const holder = keys.get(main.key);
    if (holder === undefined) keys.set(main.key, main.id);
    for (const { id } of lines) {
      if (holder === undefined) found.mainOf.set(id, main.id);
      else found.rejects.push(duplicateKey(id, main.key, holder));
    }
  }
  return found;
}

const byAge = (a: ContextMark, b: ContextMark) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);

function duplicateKey(id: string, key: string, holder: string): Reject {
  const detail = `the key ${key.toWellFormed()} belongs to the thread of the context ${holder} already`;
  return { entity: "context_contexts", id, code: "ROW_DUPLICATE", path: "key", detail };
}

/** The id of a row of the old engine; later generations of parts have a `key` instead. */
export const storyRowId = (row: JsonObject): string | undefined => idOf(row["id"]) ?? idOf(row["key"]);
