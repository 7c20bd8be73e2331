import { assertJson, canonicalJson, errorMessage, HebraError, type JsonObject, type JsonValue } from "@hebra/core";
import { validateAgainst } from "@hebra/reactor";
import { toStorable } from "../../definition/storable.ts";
import type { AnyThreadDefinition, PrepareContext } from "../../definition/define-thread.ts";
import type { ContextRow, StoredError } from "../../store/rows.ts";
import { storedMessage } from "./stored-error.ts";

/** Replaces members of a state document and checks the result against the definition's schema. */
export async function mergeState(
  definition: AnyThreadDefinition,
  document: JsonValue,
  change: Record<string, unknown>,
): Promise<{ ok: true; state: JsonValue } | { ok: false; error: StoredError }> {
  const base = typeof document === "object" && document !== null && !Array.isArray(document) ? document : {};
  let merged: JsonValue;
  try {
    merged = toStorable({ ...base, ...change }).value;
  } catch (error) {
    return { ok: false, error: refused(definition, errorMessage(error)) };
  }
  if (definition.stateSchema === undefined) return { ok: true, state: merged };
  const result = await validateAgainst(definition.stateSchema, merged);
  if (!result.ok) return { ok: false, error: refused(definition, `it no longer fits: ${result.issues.join("; ")}`) };
  const state = toStorable(result.value).value;
  // A schema may leave unknown members out without a word: what they held would be lost.
  const lost = Object.keys(change).filter((key) => change[key] !== undefined && !hasMember(state, key));
  if (lost.length > 0) return { ok: false, error: refused(definition, `it has no ${lost.join(", ")}`) };
  return { ok: true, state };
}

const hasMember = (value: JsonValue, key: string): boolean =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key);

/** The action has run: the model must not take the refusal for a call without effect. */
function refused({ name }: AnyThreadDefinition, why: string): StoredError {
  const message = `The action ran, but its change of the state of ${name} is refused: ${why}. Check before doing it again.`;
  return { code: "STATE_INVALID", message: storedMessage(message), retryable: false };
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
  const next = checked === undefined ? document : toStorable(checked.value).value;
  return canonicalJson(next) === canonicalJson(context.state as JsonValue) ? undefined : next;
}

/** A context whose document is of an older version, in its present form. Written with the next change of state. */
export function currentState(definition: AnyThreadDefinition, context: ContextRow): ContextRow {
  if (context.stateVersion >= definition.stateVersion || definition.migrateState === undefined) return context;
  return {
    ...context,
    state: migrated(definition, context),
    stateVersion: definition.stateVersion,
  };
}

/** @throws HebraError `STATE_INVALID` */
function migrated({ name, migrateState }: AnyThreadDefinition, { state, stateVersion }: ContextRow): JsonValue {
  try {
    const document = migrateState!(state, stateVersion);
    assertJson(document, "state");
    return document;
  } catch (error) {
    throw new HebraError(
      "STATE_INVALID",
      `\`migrateState\` of ${name} cannot bring up a document of version ${stateVersion}: ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

/** No event tells of the document with which a context was brought in: its change does. */
export function documentBefore({ provenance, state }: ContextRow): JsonObject {
  return provenance === null ? {} : { before: state };
}
