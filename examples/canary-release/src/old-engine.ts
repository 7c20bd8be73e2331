import type { JsonObject } from "@hebra/core";
import { storyBundle } from "@hebra/migrate";
import { bothWays, memoryReader } from "@hebra/thread/legacy";
import type { LegacyEngine } from "@hebra/thread/runtime";

const names = ["context_contexts", "context_events", "story_executions", "story_steps", "story_parts"] as const;

/** The engine that has always answered, with its rows in memory. */
export function createOldEngine() {
  const tables = Object.fromEntries(names.map((name) => [name, new Map<string, JsonObject>()])) as Record<
    (typeof names)[number],
    Map<string, JsonObject>
  >;
  let last = Date.now();
  const stamp = () => {
    const at = new Date((last = Math.max(last + 1, Date.now()))).toISOString();
    return { createdAt: at, updatedAt: at };
  };
  const put = (table: (typeof names)[number], row: JsonObject) => void tables[table].set(String(row["id"]), row);
  const open = (session: string): string => {
    const id = `ctx-${session}`;
    if (!tables.context_contexts.has(id))
      put("context_contexts", { id, key: session, status: "open", content: {}, ...stamp() });
    return id;
  };
  const event = (id: string, context: string, type: string, text: string) =>
    put("context_events", {
      id,
      context,
      channel: "web",
      type,
      status: "completed",
      content: { parts: [{ type: "text", text }] },
      ...stamp(),
    });

  const legacy: LegacyEngine = {
    async answer({ id, session, text = "" }) {
      const context = open(session);
      const said = `old: ${text}`;
      event(id, context, "input_text", text);
      event(`${id}-out`, context, "output_text", said);
      const run = { context, trigger: id, reaction: `${id}-out`, status: "completed" };
      put("story_executions", { id: `${id}-run`, ...run, ...stamp() });
      return { status: "ok", texts: [said], calls: [], cost: 0.002, steps: 1 };
    },
    // History in both directions: into the new engine before its first turn, and back after a rollback.
    ...bothWays({
      reader: memoryReader(() => ({
        context_contexts: [...tables.context_contexts.values()],
        context_events: [...tables.context_events.values()],
        story_executions: [...tables.story_executions.values()],
        story_steps: [...tables.story_steps.values()],
        story_parts: [...tables.story_parts.values()],
      })),
      toBundle: storyBundle,
      accept(rows, { session }) {
        const id = rows.context_events[0]?.["context"];
        if (id !== undefined && !tables.context_contexts.has(String(id)))
          put("context_contexts", { id, key: session, status: "open", content: {}, ...stamp() });
        for (const name of names)
          if (name !== "context_contexts") for (const row of rows[name]) put(name, row as JsonObject);
      },
    }),
  };

  /** What customers said in a session, as the old engine has it. */
  function asked(session: string): string[] {
    const contexts = [...tables.context_contexts.values()].filter((row) => row["key"] === session);
    const ids = new Set(contexts.map((row) => row["id"]));
    return [...tables.context_events.values()]
      .filter((row) => ids.has(row["context"]!) && row["type"] === "input_text")
      .sort((a, b) => (String(a["createdAt"]) < String(b["createdAt"]) ? -1 : 1))
      .map((row) =>
        ((row["content"] as JsonObject)["parts"] as JsonObject[]).map((part) => String(part["text"] ?? "")).join(""),
      );
  }
  return { legacy, asked };
}
