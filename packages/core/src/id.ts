import { v5, v7 } from "uuid";
import type { Clock } from "./clock.ts";
import { HebraError } from "./errors.ts";

/** The UUIDv5 namespace of every id that Hebra derives. Fixed for ever: changing it would rename every row. */
export const HEBRA_NAMESPACE = "8f0f6a1c-6f5e-5d6b-9b3a-2f1d7c4e5a90";

const MAX_LENGTH = 512;

/** Makes a new unique id. */
export type IdGenerator = () => string;

/**
 * A UUIDv5: the same parts always give the same id. Parts are joined so that no two different lists collide.
 *
 * @example
 * ```ts
 * import { deriveId } from "@hebra/core";
 *
 * console.log(deriveId("item", "acme", "award_42") === deriveId("item", "acme", "award_42")); // true
 * ```
 */
export function deriveId(...parts: readonly (string | number)[]): string {
  return v5(parts.map((part) => encodeURIComponent(part)).join("/"), HEBRA_NAMESPACE);
}

/**
 * UUIDv7s: unique, and sorted by time of making.
 *
 * @param clock - where the time comes from. @defaultValue the system's
 */
export function createIdGenerator(clock?: Pick<Clock, "now">): IdGenerator {
  if (clock === undefined) return () => v7();
  return () => v7({ msecs: Math.trunc(clock.now()) });
}

/**
 * Checks that a string can be an id or key in every store: not empty, at most 512 UTF-16 units, no U+0000, no lone surrogate.
 *
 * @throws HebraError `INVALID_ID`
 */
export function assertId(value: unknown, what: string): asserts value is string {
  const problem =
    typeof value !== "string" ? `is ${value === null ? "null" : typeof value}, not a string`
    : value.length === 0 ? "is empty"
    : value.length > MAX_LENGTH ? `has ${value.length} characters; at most ${MAX_LENGTH} are allowed`
    : value.includes("\u0000") ? "holds U+0000"
    : !value.isWellFormed() ? "holds a lone surrogate"
    : undefined;
  if (problem !== undefined) throw new HebraError("INVALID_ID", `The ${what} ${problem}.`, { details: { what } });
}
