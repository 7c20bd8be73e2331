import { createHash } from "node:crypto";
import { v7 } from "uuid";
import type { Clock } from "./clock.ts";
import { HebraError } from "./errors.ts";

/** The UUIDv5 namespace of every id that Hebra derives. Fixed for ever: changing it would rename every row. */
export const HEBRA_NAMESPACE = "8f0f6a1c-6f5e-5d6b-9b3a-2f1d7c4e5a90";

const MAX_LENGTH = 512;

/** Makes a new unique id. */
export type IdGenerator = () => string;

/**
 * A UUIDv5: the same parts always give the same id. Parts are joined so that no two different lists collide; a number
 * is the same part as
 * its decimal text.
 *
 * @throws HebraError `INVALID_ID` without parts, or when one holds a lone surrogate.
 *
 * @example
 * ```ts
 * import { deriveId } from "@hebra/core";
 *
 * console.log(deriveId("item", "acme", "award_42") === deriveId("item", "acme", "award_42")); // true
 * ```
 */
export function deriveId(...parts: readonly (string | number)[]): string {
  if (parts.length === 0)
    throw new HebraError("INVALID_ID", "An id cannot be derived from nothing: pass at least one part.");
  return uuidV5(parts.map(encodePart).join("/"));
}

const NAMESPACE_BYTES = Buffer.from(HEBRA_NAMESPACE.replaceAll("-", ""), "hex");

/**
 * Every row of a turn has such an id, and the library's `v5` reads the namespace anew each time, for several times the
 * price.
 * See https://www.rfc-editor.org/rfc/rfc9562#section-5.5
 */
function uuidV5(name: string): string {
  const hash = createHash("sha1").update(NAMESPACE_BYTES).update(name).digest("hex");
  const variant = "89ab"[Number.parseInt(hash[16]!, 16) % 4]!;
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-5${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}

function encodePart(part: string | number): string {
  const text = String(part);
  if (!text.isWellFormed()) throw new HebraError("INVALID_ID", "A part of a derived id holds a lone surrogate.");
  return encodeURIComponent(text);
}

/**
 * UUIDv7 has 32 bits between time and randomness that count up within a millisecond; it starts low so as not to run
 * over.
 */
const SEQUENCE_START = 2 ** 31;

/**
 * UUIDv7s: unique, and sorted by time of making, also those of one millisecond and those made after the clock was set
 * back.
 *
 * @param clock - where the time comes from. @defaultValue the system's
 */
export function createIdGenerator(clock?: Pick<Clock, "now">): IdGenerator {
  if (clock === undefined) return () => v7();
  let msecs = -1;
  let seq = 0;
  return () => {
    const now = Math.trunc(clock.now());
    if (now > msecs) {
      msecs = now;
      seq = Math.floor(Math.random() * SEQUENCE_START);
    } else seq++;
    return v7({ msecs, seq });
  };
}

/**
 * Checks that a string can be an id or key in every store: not empty, at most 512 UTF-16 units, no U+0000, no lone
 * surrogate.
 *
 * @throws HebraError `INVALID_ID`
 */
export function assertId(value: unknown, what: string): asserts value is string {
  const problem =
    typeof value !== "string"
      ? `is ${value === null ? "null" : typeof value}, not a string`
      : value.length === 0
        ? "is empty"
        : value.length > MAX_LENGTH
          ? `has ${value.length} characters; at most ${MAX_LENGTH} are allowed`
          : value.includes("\u0000")
            ? "holds U+0000"
            : !value.isWellFormed()
              ? "holds a lone surrogate"
              : undefined;
  if (problem !== undefined) throw new HebraError("INVALID_ID", `The ${what} ${problem}.`, { details: { what } });
}
