import type { JsonObject, JsonValue } from "@hebra/core";
import type { LegacyGroup, LegacyReader } from "./reader.ts";

/** The rows of the old engine by entity. Lists that are missing count as empty. */
export interface LegacyTables {
  context_contexts: readonly JsonObject[];
  context_events?: readonly JsonObject[];
  story_executions?: readonly JsonObject[];
  story_steps?: readonly JsonObject[];
  story_parts?: readonly JsonObject[];
}

/**
 * Reads rows of the old engine from memory. The lists are read anew each time, so rows that are added to them are seen.
 *
 * @param tables - the rows of the tenant `default`, or a function from a tenant to its rows.
 *
 * @example
 * ```ts
 * import { memoryReader } from "@hebra/thread/legacy";
 *
 * const reader = memoryReader({ context_contexts: [{ id: "c-1", key: "customer-7", createdAt: "2025-10-01T08:00:00Z" }]
 * });
 * console.log((await reader.byKey("default", "customer-7"))?.context["id"]); // c-1
 * ```
 */
export function memoryReader(tables: LegacyTables | ((tenant: string) => LegacyTables | undefined)): LegacyReader {
  const of = (tenant: string): LegacyTables =>
    (typeof tables === "function" ? tables(tenant) : tenant === "default" ? tables : undefined) ?? {
      context_contexts: [],
    };
  const group = (tenant: string, isWanted: (context: JsonObject) => boolean): LegacyGroup | undefined => {
    const rows = of(tenant);
    const context = rows.context_contexts.find(isWanted);
    return context === undefined ? undefined : groupOf(rows, context);
  };
  return {
    byKey: async (tenant, key) => group(tenant, (context) => keyOf(context) === key),
    byContextId: async (tenant, contextId) => group(tenant, ({ id }) => id === contextId),
    async byExecutionId(tenant, executionId) {
      const execution = of(tenant).story_executions?.find(({ id }) => id === executionId);
      const contextId = execution && linkOf(execution, "context");
      return contextId === undefined ? undefined : group(tenant, ({ id }) => id === contextId);
    },
    async list(tenant, { limit, cursor, keyPrefix = "" }) {
      const found = of(tenant).context_contexts.filter((context) => keyOf(context)?.startsWith(keyPrefix));
      const from = Number(cursor ?? 0);
      return {
        contexts: found.slice(from, from + limit),
        cursor: from + limit < found.length ? String(from + limit) : undefined,
      };
    },
  };
}

function groupOf(tables: LegacyTables, context: JsonObject): LegacyGroup {
  const under = (
    rows: readonly JsonObject[] | undefined,
    member: string,
    parents: readonly JsonObject[],
  ): JsonObject[] => {
    const ids = new Set(parents.map(({ id }) => id));
    return (rows ?? []).filter((row) => ids.has(linkOf(row, member) ?? null));
  };
  const executions = under(tables.story_executions, "context", [context]);
  const steps = under(tables.story_steps, "execution", executions);
  return {
    context,
    events: under(tables.context_events, "context", [context]),
    executions,
    steps,
    parts: under(tables.story_parts, "step", steps),
  };
}

/** A context's own key, or its id when it has none. */
function keyOf(context: JsonObject): string | undefined {
  return stringOf(context["key"]) ?? stringOf(context["id"]);
}

/**
 * The id that a row links to: over the generations of the old engine an id, an object with one, or a list of one such.
 */
function linkOf(row: JsonObject, member: string): string | undefined {
  return idOf(row[member]) ?? stringOf(row[`${member}Id`]);
}

function idOf(value: JsonValue | undefined): string | undefined {
  if (Array.isArray(value)) return value.length === 1 ? idOf(value[0]) : undefined;
  if (typeof value === "object" && value !== null) return idOf(value["id"]);
  return stringOf(value);
}

const stringOf = (value: JsonValue | undefined): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;
