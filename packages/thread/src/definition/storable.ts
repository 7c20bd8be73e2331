import type { JsonValue } from "@hebra/core";

/** A value from outside in the form in which a row keeps it. */
export interface Storable {
  value: JsonValue;
  /** What is no longer as it was, with its path, e.g. `$.total was NaN and is kept as null`. */
  notes: string[];
}

/** Levels that are kept; one more is refused, as a document that deep is a cycle or an attack. */
const MAX_DEPTH = 500;
/** Notes that are kept: one value may hold thousands of the same kind. */
const MAX_NOTES = 10;

/**
 * Text from outside, as every store keeps it: half a surrogate becomes U+FFFD. U+0000 is kept.
 *
 * @param text - anything: what is no text becomes empty
 */
export function storableText(text: unknown): string {
  return typeof text === "string" ? text.toWellFormed() : "";
}

/** Text for a column of its own, which holds no U+0000: it becomes U+2400, its picture. Cut to a length. */
export function storableLine(text: unknown, maxLength = 2_000): string {
  const line = storableText(text).replaceAll("\u0000", "\u2400");
  return line.length <= maxLength ? line : line.slice(0, maxLength).toWellFormed();
}

/** Every text inside a value as it can be kept; anything else stays as it is, to be checked by whoever stores it. */
export function withStorableTexts<T>(value: T): T {
  if (typeof value === "string") return value.toWellFormed() as T;
  if (Array.isArray(value)) return value.map((one: unknown) => withStorableTexts(one)) as T;
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const members = Object.entries(value).map(([key, member]) => [key.toWellFormed(), withStorableTexts(member)]);
  return Object.fromEntries(members) as T;
}

/**
 * The one door for values from outside: action outputs, model input, errors, session states, outbox payloads. A value
 * with a JSON form is kept in it: `toJSON` is honoured (a `Date` becomes its ISO text), `bigint` becomes text, `Map`
 * and `Set` become their entries, bytes base64, NaN and infinities null with a note, half a surrogate U+FFFD.
 *
 * @throws TypeError when it cannot be kept: a cycle, more than 500 levels, or a member that throws when it is read
 */
export function toStorable(value: unknown): Storable {
  const notes: string[] = [];
  const note = (path: string, what: string) => void (notes.length < MAX_NOTES && notes.push(`${path} ${what}`));
  const kept = keep(value, "$", 0, { note, above: new Set() });
  return { value: kept ?? null, notes };
}

interface Walk {
  note(path: string, what: string): void;
  /** The objects that the walk is inside of. */
  above: Set<object>;
}

/** @returns `undefined` for what JSON leaves out */
function keep(value: unknown, path: string, depth: number, walk: Walk): JsonValue | undefined {
  switch (typeof value) {
    case "string":
      return value.toWellFormed();
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value)) return value;
      walk.note(path, `was ${value} and is kept as null`);
      return null;
    case "bigint":
      return value.toString();
    case "undefined":
      return undefined;
    case "object":
      return value === null ? null : keepObject(value, path, depth, walk);
    default:
      walk.note(path, `was a ${typeof value} and is left out`);
      return undefined;
  }
}

function keepObject(value: object, path: string, depth: number, walk: Walk): JsonValue | undefined {
  if (depth >= MAX_DEPTH) throw new TypeError(`${path.slice(0, 100)} is nested more than ${MAX_DEPTH} levels deep`);
  if (walk.above.has(value)) throw new TypeError(`${path} refers to an object that it is part of`);
  walk.above.add(value);
  try {
    const form = jsonForm(value);
    if (form !== value) return keep(form, path, depth + 1, walk);
    if (Array.isArray(value)) return value.map((one, i) => keep(one, `${path}[${i}]`, depth + 1, walk) ?? null);
    return keepMembers(value as Record<string, unknown>, path, depth, walk);
  } finally {
    walk.above.delete(value);
  }
}

function keepMembers(value: Record<string, unknown>, path: string, depth: number, walk: Walk): JsonValue {
  const members: [string, JsonValue][] = [];
  for (const key of Object.keys(value)) {
    const member = keep(value[key], `${path}.${key}`, depth + 1, walk);
    if (member !== undefined) members.push([key.toWellFormed(), member]);
  }
  // Not by assignment: a member may be called `__proto__`.
  return Object.fromEntries(members);
}

/** What stands for an object that is not plain; the object itself when it is. */
function jsonForm(value: object): unknown {
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") return (toJSON as () => unknown).call(value);
  if (value instanceof Map || value instanceof Set) return [...(value as Iterable<unknown>)];
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof RegExp) return String(value);
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return value.valueOf();
  return value;
}
