import type { JsonValue } from "@hebra/core";

/** A value as JSON keeps it: dates become text and undefined members go, as in the old engine's database. */
export function plainJson(value: unknown): JsonValue {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? null : (JSON.parse(text) as JsonValue);
}
