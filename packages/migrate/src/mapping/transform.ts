import type { ErrorCode, JsonObject, JsonValue } from "@hebra/core";
import { cleanRow, idProblem, repairNotes, type Note } from "./clean-row.ts";
import type { EntityMapping, FieldRule, LinkRule, Mapping, ValueKind } from "./mapping.ts";

/** A source row that has no place in the target, and why. */
export interface Reject {
  entity: string;
  id: string | null;
  code: ErrorCode;
  /** The field, or the line of the file. */
  path: string;
  detail: string;
}

/** A target row with what was repaired in it, or why there is none. */
export type Transformed = { ok: true; row: JsonObject; notes: Note[] } | { ok: false; reject: Reject };

/** Turns one source row into a target row by its rules. Pure: the same row always gives the same bytes. */
export function transformRow(mapping: Mapping, entity: EntityMapping, given: JsonObject): Transformed {
  const cleaned = cleanRow(given);
  // Ids are read as they are: a repair could give two rows one id.
  const id = readId(mapping, entity, given);
  const refuse = (path: string, detail: string): Transformed => ({
    ok: false,
    reject: { entity: entity.from, id: id?.toWellFormed() ?? null, code: "ROW_INVALID", path, detail },
  });
  if (id === undefined) return refuse(entity.id.from[0] ?? "id", "it has no id");
  const problem = idProblem(id);
  if (problem !== undefined) return refuse(first(given, entity.id.from)?.path ?? "id", problem);
  if (!cleaned.ok) return refuse(cleaned.path, cleaned.detail);
  const source = cleaned.row;
  const row: JsonObject = { id };
  for (const [field, rule] of Object.entries(entity.fields)) {
    const read = readField(mapping, rule, rule.kind === "id" ? given : source);
    if (!read.ok) return refuse(read.path, read.detail);
    row[field] = read.value;
  }
  for (const [field, rule] of Object.entries(entity.links)) {
    const read = readLink(mapping, rule, given);
    if (read === undefined) return refuse(rule.from[0] ?? field, `it has no link to ${rule.entity}`);
    const unusable = typeof read === "string" ? idProblem(read) : undefined;
    if (unusable !== undefined) return refuse(first(given, rule.from)?.path ?? field, unusable);
    row[field] = read;
  }
  return { ok: true, row, notes: repairNotes(entity.from, id, cleaned.repaired) };
}

function readId(mapping: Mapping, entity: EntityMapping, source: JsonObject): string | undefined {
  const found = first(source, entity.id.from);
  const id = idOf(found?.value);
  if (id !== undefined) return id;
  if (typeof entity.id.onMissing !== "object") return undefined;
  return idOf(mapping.derivations[entity.id.onMissing.derive]!(source));
}

function readField(
  mapping: Mapping,
  rule: FieldRule,
  source: JsonObject,
): { ok: true; value: JsonValue } | { ok: false; path: string; detail: string } {
  const found = first(source, rule.from);
  if (found === undefined) {
    if (rule.onMissing === "reject") return { ok: false, path: rule.from[0]!, detail: "it is missing" };
    return {
      ok: true,
      value: "default" in rule.onMissing ? rule.onMissing.default : mapping.derivations[rule.onMissing.derive]!(source),
    };
  }
  const value = readers[rule.kind](found.value);
  if (value === undefined) return { ok: false, path: found.path, detail: `it is not ${kindNames[rule.kind]}` };
  if (rule.values === undefined) return { ok: true, value };
  const mapped = rule.values[String(value)] ?? rule.values["*"];
  return mapped === undefined
    ? { ok: false, path: found.path, detail: `${JSON.stringify(value)} has no counterpart` }
    : { ok: true, value: mapped };
}

function readLink(mapping: Mapping, rule: LinkRule, source: JsonObject): JsonValue | undefined {
  const id = idOf(first(source, rule.from)?.value);
  if (id !== undefined) return id;
  if (rule.onMissing === "reject") return undefined;
  return "derive" in rule.onMissing ? mapping.derivations[rule.onMissing.derive]!(source) : rule.onMissing.default;
}

/** The value at the first path that leads to one; null counts as missing. */
export function first(source: JsonObject, paths: readonly string[]): { path: string; value: JsonValue } | undefined {
  for (const path of paths) {
    let value: JsonValue | undefined = source;
    for (const member of path.split(".")) {
      value =
        typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, member)
          ? value[member]
          : undefined;
    }
    if (value !== undefined && value !== null) return { path, value };
  }
  return undefined;
}

/** A link is kept as an id, as an object with one, or as a list of one such. */
export function idOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === "string" && value !== "") return value;
  if (Array.isArray(value)) return value.length === 1 ? idOf(value[0]) : undefined;
  if (typeof value === "object" && value !== null && Object.hasOwn(value, "id")) return idOf(value["id"]);
  return undefined;
}

const kindNames: Readonly<Record<ValueKind, string>> = {
  id: "an id: 1 to 512 characters, well-formed, without U+0000",
  string: "a string",
  number: "a number",
  boolean: "a boolean",
  timestamp: "a timestamp: milliseconds, or ISO 8601 with a zone",
  json: "JSON",
  object: "an object",
};

const readers: Readonly<Record<ValueKind, (value: JsonValue) => JsonValue | undefined>> = {
  id: (value) => (typeof value === "string" && idProblem(value) === undefined ? value : undefined),
  string: (value) => (typeof value === "string" ? value : undefined),
  number: (value) => (typeof value === "number" && Number.isFinite(value) ? value : undefined),
  boolean: (value) => (typeof value === "boolean" ? value : undefined),
  timestamp: readTimestamp,
  json: (value) => value,
  object: (value) => (typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined),
};

/**
 * Milliseconds since the epoch, or an ISO 8601 time with its zone. Anything else is refused: a guess would not be the
 * same twice.
 */
function readTimestamp(value: JsonValue): number | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/.test(value))
    return undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : at;
}
