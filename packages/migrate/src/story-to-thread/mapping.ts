import { deriveId, type JsonObject, type JsonValue } from "@hebra/core";
import { defineEntities, type FieldRule, type Mapping } from "../mapping/mapping.ts";
import { first, idOf } from "../mapping/transform.ts";

const createdAt: FieldRule = { from: ["createdAt", "created_at"], kind: "timestamp", onMissing: "reject" };
const updatedAt: FieldRule = {
  from: ["updatedAt", "updated_at", "createdAt", "created_at"],
  kind: "timestamp",
  onMissing: "reject",
};

/** The thread of a context: the one that it links to, or one of its own. */
export function threadIdOf(context: JsonObject): string {
  return (
    idOf(first(context, ["thread", "threadId"])?.value) ??
    deriveId("story-thread", (idOf(context["id"]) ?? "").toWellFormed())
  );
}

/** The items' roles by their types, over the generations of the old engine. */
export function roleOf(event: JsonObject): "user" | "assistant" | "system" {
  const type = String(event["type"] ?? "");
  if (["input_text", "input", "user", "user.message", "input_user"].includes(type)) return "user";
  return type.endsWith("system") ? "system" : "assistant";
}

/**
 * The rows of the old story engine as threads. Ids and times are kept; what was unfinished is closed, as no process
 * will
 * ever finish it. Field names of every generation are accepted.
 */
export const storyToThread: Mapping = defineEntities({
  name: "story-to-thread",
  version: 3,
  derivations: {
    threadId: threadIdOf,
    contextKey: (context): JsonValue => idOf(context["id"]) ?? null,
    role: roleOf,
    kind: (event) => (roleOf(event) === "assistant" ? "reaction" : roleOf(event) === "user" ? "trigger" : "note"),
  },
  entities: [
    {
      from: "context_contexts",
      to: "thread_threads",
      id: { from: ["thread", "threadId"], onMissing: { derive: "threadId" } },
      fields: {
        key: { from: ["key"], kind: "id", onMissing: { derive: "contextKey" } },
        name: { from: ["content.title", "title", "key"], kind: "string", onMissing: { default: null } },
        createdAt,
        updatedAt,
      },
      links: {},
    },
    {
      from: "context_contexts",
      to: "thread_contexts",
      id: { from: ["id"], onMissing: "reject" },
      fields: {
        status: {
          from: ["status"],
          kind: "string",
          values: { closed: "closed", "*": "open" },
          onMissing: { default: "open" },
        },
        state: { from: ["content"], kind: "object", onMissing: { default: {} } },
        createdAt,
        updatedAt,
      },
      links: { threadId: { from: ["thread", "threadId"], entity: "thread", onMissing: { derive: "threadId" } } },
    },
    {
      from: "context_events",
      to: "thread_items",
      id: { from: ["id"], onMissing: "reject" },
      fields: {
        channel: { from: ["channel"], kind: "string", onMissing: { default: "web" } },
        role: { from: [], kind: "string", onMissing: { derive: "role" } },
        kind: { from: [], kind: "string", onMissing: { derive: "kind" } },
        status: {
          from: ["status"],
          kind: "string",
          values: {
            stored: "completed",
            completed: "completed",
            pending: "failed",
            failed: "failed",
            cancelled: "cancelled",
          },
          onMissing: { default: "completed" },
        },
        content: { from: ["content"], kind: "object", onMissing: { default: {} } },
        createdAt,
        updatedAt,
      },
      links: {
        contextId: { from: ["context", "contextId"], entity: "context_contexts", onMissing: "reject" },
        executionId: { from: ["execution", "executionId"], entity: "story_executions", onMissing: { default: null } },
      },
    },
    {
      from: "story_executions",
      to: "thread_executions",
      id: { from: ["id"], onMissing: "reject" },
      fields: {
        status: {
          from: ["status"],
          kind: "string",
          values: {
            completed: "completed",
            failed: "failed",
            cancelled: "cancelled",
            executing: "incomplete",
            running: "incomplete",
            pending: "incomplete",
          },
          onMissing: { default: "incomplete" },
        },
        workflowRunId: {
          from: ["workflowRunId", "runId", "workflow_run_id"],
          kind: "string",
          onMissing: { default: null },
        },
        createdAt,
        updatedAt,
      },
      links: {
        contextId: { from: ["context", "contextId"], entity: "context_contexts", onMissing: "reject" },
        triggerItemId: {
          from: ["trigger", "triggerEventId", "triggerId"],
          entity: "context_events",
          onMissing: "reject",
        },
        reactionItemId: {
          from: ["reaction", "reactionEventId", "reactionId"],
          entity: "context_events",
          onMissing: "reject",
        },
      },
    },
    {
      from: "story_steps",
      to: "thread_steps",
      id: { from: ["id"], onMissing: "reject" },
      fields: {
        status: {
          from: ["status"],
          kind: "string",
          values: {
            completed: "completed",
            failed: "failed",
            cancelled: "cancelled",
            running: "cancelled",
            pending: "cancelled",
          },
          onMissing: { default: "cancelled" },
        },
        iteration: { from: ["iteration"], kind: "number", onMissing: { default: 0 } },
        errorText: { from: ["errorText", "error"], kind: "string", onMissing: { default: null } },
        results: {
          from: ["toolExecutionResults", "toolResults", "toolOutput"],
          kind: "json",
          onMissing: { default: [] },
        },
        createdAt,
        updatedAt,
      },
      links: { executionId: { from: ["execution", "executionId"], entity: "story_executions", onMissing: "reject" } },
    },
    {
      from: "story_parts",
      to: "thread_parts",
      id: { from: ["id", "key"], onMissing: "reject" },
      fields: {
        index: { from: ["idx", "index"], kind: "number", onMissing: { default: 0 } },
        part: { from: ["part", "content"], kind: "object", onMissing: "reject" },
      },
      links: { stepId: { from: ["step", "stepId"], entity: "story_steps", onMissing: "reject" } },
    },
  ],
});

/** The five entities of the old engine, parents first. */
export const storyEntities = [
  "context_contexts",
  "context_events",
  "story_executions",
  "story_steps",
  "story_parts",
] as const;
export type StoryEntity = (typeof storyEntities)[number];
