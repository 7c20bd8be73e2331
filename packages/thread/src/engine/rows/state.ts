import { assertJson, canonicalJson, errorMessage, HebraError, type JsonObject, type JsonValue } from "@hebra/core";
import { validateAgainst } from "@hebra/reactor";
import type { AnyThreadDefinition, PrepareContext } from "../../definition/define-thread.ts";
import type { ContextRow, StoredError } from "../../store/rows.ts";

/** Replaces members of a state document and checks the result against the definition's schema. */
export async function mergeState(
  definition: AnyThreadDefinition,
  document: JsonValue,
  change: Record<string, unknown>,
): Promise<{ ok: true; state: JsonValue } | { ok: false; error: StoredError }> {
  const base = typeof document === "object" && document !== null && !Array.isArray(document) ? document : {};
  const merged: unknown = { ...base, ...change };
  try {
    assertJson(merged, "state");
  } catch (error) {
    return { ok: false, error: { code: "STATE_INVALID", message: errorMessage(error), retryable: false } };
  }
  if (definition.stateSchema === undefined) return { ok: true, state: merged };
  const result = await validateAgainst(definition.stateSchema, merged);
  if (result.ok) return { ok: true, state: result.value as JsonValue };
  const message = `The state of ${definition.name} would no longer fit its schema: ${result.issues.join("; ")}.`;
  return { ok: false, error: { code: "STATE_INVALID", message, retryable: false } };
}

/**
 * The document that a step begins with, when the definition makes it another one. @throws HebraError `STATE_INVALID`
 */
export async function preparedState(
  definition: AnyThreadDefinition,
  context: PrepareContext<unknown, unknown>,
): Promise<JsonValue | undefined> {
  const document: unknown = await definition.prepareStep?.(context);
  if (document === undefined) return undefined;
  try {
    assertJson(document, "state");
  } catch (error) {
    throw new HebraError("STATE_INVALID", errorMessage(error), { cause: error });
  }
  const checked =
    definition.stateSchema === undefined ? undefined : await validateAgainst(definition.stateSchema, document);
  if (checked?.ok === false)
    throw new HebraError(
      "STATE_INVALID",
      `The state that ${definition.name} prepared does not fit its schema: ${checked.issues.join("; ")}.`,
    );
  const next = checked === undefined ? document : (checked.value as JsonValue);
  return canonicalJson(next) === canonicalJson(context.state as JsonValue) ? undefined : next;
}

/** A context whose document is of an older version, in its present form. Written with the next change of state. */
export function currentState(definition: AnyThreadDefinition, context: ContextRow): ContextRow {
  if (context.stateVersion >= definition.stateVersion || definition.migrateState === undefined) return context;
  return {
    ...context,
    state: definition.migrateState(context.state, context.stateVersion),
    stateVersion: definition.stateVersion,
  };
}

/** No event tells of the document with which a context was brought in: its change does. */
export function documentBefore({ provenance, state }: ContextRow): JsonObject {
  return provenance === null ? {} : { before: state };
}
