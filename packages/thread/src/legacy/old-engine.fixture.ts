import type { JsonObject } from "@hebra/core";
import { openSqlite, type SqliteConnection } from "../store/sqlite/driver.ts";
import type { LegacyRows } from "./handover.ts";
import { memoryReader } from "./read-through/memory-reader.ts";
import type { LegacyReader } from "./read-through/reader.ts";
import type { MutableTables } from "./read-through/story-rows.fixture.ts";

/**
 * A stand-in for the old engine, with its rows in a SQLite file: what it writes of a turn, and how it reads its
 * history.
 */
export interface OldEngine {
  reader: LegacyReader;
  /** A turn of one exchange. With `leave`, the process ends in the middle of it. */
  answer(key: string, id: string, options?: { leave?: boolean }): void;
  /** What was left is ended after all. */
  finish(id: string): void;
  /** Writes rows that were handed over, by id. @param stopAfter - ends in the middle: throws after so many */
  accept(key: string, rows: LegacyRows, stopAfter?: number): void;
  /** What it would show the model: by time. */
  texts(contextId: string): string[];
  /** All rows, to compare. */
  rows(): JsonObject[];
  close(): void;
}

export const question = (id: string) => `Question ${id}`;
export const answerTo = (id: string) => `Answer ${id}`;

/** @param now - milliseconds since the epoch; never the same twice */
export async function openOldEngine(path: string, now: () => number): Promise<OldEngine> {
  const database: SqliteConnection = await openSqlite("libsql", path);
  database.exec("PRAGMA synchronous = NORMAL");
  database.exec("CREATE TABLE IF NOT EXISTS old_rows (entity TEXT, id TEXT, row TEXT, PRIMARY KEY (entity, id))");
  const put = (entity: keyof MutableTables, row: JsonObject) =>
    database
      .prepare("INSERT INTO old_rows VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET row = excluded.row")
      .run([entity, String(row["id"]), JSON.stringify(row)]);
  const all = (entity: keyof MutableTables): JsonObject[] =>
    database
      .prepare("SELECT row FROM old_rows WHERE entity = ?1")
      .all([entity])
      .map(([row]) => JSON.parse(row as string) as JsonObject);
  const stamp = () => {
    const createdAt = new Date(now()).toISOString();
    return { createdAt, updatedAt: createdAt };
  };
  const contextOf = (key: string): string => {
    const found = all("context_contexts").find((row) => row["key"] === key);
    if (found !== undefined) return String(found["id"]);
    put("context_contexts", { id: `c-${key}`, key, status: "open", content: { by: "old" }, ...stamp() });
    return `c-${key}`;
  };
  const parts = (text: string) => ({ parts: [{ type: "text", text }] });
  const end = (id: string) => {
    const run = all("story_executions").find((row) => row["id"] === `${id}-run`)!;
    const reaction = all("context_events").find((row) => row["id"] === `${id}-out`)!;
    put("story_parts", {
      id: `${id}-part`,
      key: `${id}-step:0`,
      step: `${id}-step`,
      idx: 0,
      type: "text",
      part: { type: "text", text: answerTo(id) },
      ...stamp(),
    });
    put("story_steps", {
      id: `${id}-step`,
      execution: `${id}-run`,
      iteration: 0,
      status: "completed",
      toolExecutionResults: [],
      ...stamp(),
    });
    put("context_events", {
      ...reaction,
      status: "completed",
      content: parts(answerTo(id)),
      updatedAt: stamp().updatedAt,
    });
    put("story_executions", { ...run, status: "completed", updatedAt: stamp().updatedAt });
  };
  return {
    reader: memoryReader(() => ({
      context_contexts: all("context_contexts"),
      context_events: all("context_events"),
      story_executions: all("story_executions"),
      story_steps: all("story_steps"),
      story_parts: all("story_parts"),
    })),
    answer(key, id, { leave = false } = {}) {
      const context = contextOf(key);
      put("context_events", {
        id: `${id}-in`,
        context,
        type: "input_text",
        channel: "web",
        status: "stored",
        content: parts(question(id)),
        ...stamp(),
      });
      put("context_events", {
        id: `${id}-out`,
        context,
        type: "output_text",
        channel: "web",
        status: "pending",
        content: { parts: [] },
        ...stamp(),
      });
      put("story_executions", {
        id: `${id}-run`,
        context,
        trigger: `${id}-in`,
        reaction: `${id}-out`,
        status: "executing",
        ...stamp(),
      });
      put("story_steps", {
        id: `${id}-step`,
        execution: `${id}-run`,
        iteration: 0,
        status: "running",
        toolExecutionResults: [],
        ...stamp(),
      });
      if (!leave) end(id);
    },
    finish: end,
    accept(key, rows, stopAfter = Infinity) {
      const context = rows.context_events[0]?.["context"];
      if (context !== undefined && !all("context_contexts").some((row) => row["id"] === context))
        put("context_contexts", { id: context, key, status: "open", content: {}, ...stamp() });
      let count = 0;
      for (const [entity, some] of Object.entries(rows) as [keyof LegacyRows, JsonObject[]][]) {
        for (const row of some) {
          if (count++ >= stopAfter) throw new Error("the process ended here");
          put(entity, row);
        }
      }
    },
    texts(contextId) {
      const events = all("context_events").filter((row) => row["context"] === contextId);
      events.sort((a, b) => (String(a["createdAt"]) < String(b["createdAt"]) ? -1 : 1));
      return events.map(({ content }) =>
        ((content as JsonObject)["parts"] as JsonObject[]).map(({ text }) => String(text)).join(""),
      );
    },
    rows: () =>
      (["context_contexts", "context_events", "story_executions", "story_steps", "story_parts"] as const).flatMap(all),
    close: () => database.close(),
  };
}
