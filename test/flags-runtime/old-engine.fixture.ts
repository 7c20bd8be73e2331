import type { JsonObject } from "@hebra/core";
import { storyBundle } from "@hebra/migrate";
import type { LegacyEngine, LegacyResult, LegacyTurn } from "@hebra/thread/runtime";
import { bothWays, memoryReader, type LegacyRows } from "@hebra/thread/legacy";

type Entity = "context_contexts" | keyof LegacyRows;

const entities: readonly Entity[] = [
  "context_contexts",
  "context_events",
  "story_executions",
  "story_steps",
  "story_parts",
];

/** How the old engine answers. @defaultValue `old: <text>`, at once */
export type OldAnswer = (turn: LegacyTurn) => LegacyResult | Promise<LegacyResult>;

/** An old engine with the old rows in memory, shared by every runtime that it is given to. */
export function createOldEngine(
  answer: OldAnswer = ({ text }) => ({ texts: [`old: ${text}`], status: "ok", calls: [] }),
  { contextOf: idOf = (session: string) => `c-${session}` } = {},
) {
  const tables = Object.fromEntries(entities.map((entity) => [entity, new Map<string, JsonObject>()])) as Record<
    Entity,
    Map<string, JsonObject>
  >;
  let last = Date.now();
  const stamp = () => {
    const at = new Date((last = Math.max(last + 1, Date.now()))).toISOString();
    return { createdAt: at, updatedAt: at };
  };
  const put = (entity: Entity, row: JsonObject) => void tables[entity].set(String(row["id"]), row);
  const contextOf = (session: string): string => {
    for (const row of tables.context_contexts.values()) if (row["key"] === session) return String(row["id"]);
    const id = idOf(session);
    put("context_contexts", { id, key: session, status: "open", content: {}, ...stamp() });
    return id;
  };
  const content = (text: string) => ({ parts: [{ type: "text", text }] });
  /** Sessions that came back, in order. */
  const handedBack: string[] = [];

  const reader = memoryReader(() => ({
    context_contexts: [...tables.context_contexts.values()],
    context_events: [...tables.context_events.values()],
    story_executions: [...tables.story_executions.values()],
    story_steps: [...tables.story_steps.values()],
    story_parts: [...tables.story_parts.values()],
  }));
  const legacy: LegacyEngine = {
    async answer(turn) {
      const { id, session, text = "" } = turn;
      const result = await answer(turn);
      const context = contextOf(session);
      const [input, run, step] = [id, `${id}-run`, `${id}-step`];
      const said = result.texts.join("\n");
      const event = { context, channel: "web", execution: run };
      put("context_events", {
        id: input,
        ...event,
        type: "input_text",
        status: "stored",
        content: content(text),
        ...stamp(),
      });
      put("context_events", {
        id: `${id}-out`,
        ...event,
        type: "output_text",
        status: "completed",
        content: content(said),
        ...stamp(),
      });
      const status = result.status === "ok" ? "completed" : "failed";
      put("story_executions", { id: run, context, trigger: input, reaction: `${id}-out`, status, ...stamp() });
      put("story_steps", { id: step, execution: run, iteration: 0, status, toolExecutionResults: [], ...stamp() });
      const part = { type: "text", text: said };
      put("story_parts", { id: `${id}-part`, key: `${step}:0`, step, idx: 0, type: "text", part, ...stamp() });
      return result;
    },
    ...bothWays({
      reader,
      toBundle: storyBundle,
      accept(rows, { session }) {
        handedBack.push(session);
        const context = rows.context_events[0]?.["context"];
        if (context !== undefined && !tables.context_contexts.has(String(context)))
          put("context_contexts", { id: context, key: session, status: "open", content: {}, ...stamp() });
        for (const [entity, some] of Object.entries(rows))
          for (const row of some) put(entity as Entity, row as JsonObject);
      },
    }),
  };
  return {
    legacy,
    handedBack,
    /** What the old engine would show its model of a session: by time. */
    texts(session: string): string[] {
      const context = contextOf(session);
      return [...tables.context_events.values()]
        .filter((row) => row["context"] === context)
        .sort((a, b) => (String(a["createdAt"]) < String(b["createdAt"]) ? -1 : 1))
        .map(({ content: told }) =>
          ((told as JsonObject)["parts"] as JsonObject[]).map(({ text }) => String(text ?? "")).join(""),
        );
    },
  };
}
