import { assertId, errorMessage, type JsonObject, type JsonValue } from "@hebra/core";

/** A change that was made to a row so that every store can keep it. The row is moved. */
export interface Note {
  entity: string;
  id: string | null;
  /** Half a surrogate pair, or bytes that are not UTF-8, became U+FFFD. */
  code: "TEXT_REPAIRED";
  /** The field, or the line of the file. */
  path: string;
  detail: string;
}

/** A row that every store can keep, with the paths that were repaired, or why there is none. */
export type CleanRow = { ok: true; row: JsonObject; repaired: string[] } | { ok: false; path: string; detail: string };

/** Stores keep at most 1,000 levels, and a document adds some of its own. */
const MAX_DEPTH = 900;

interface Findings {
  repaired: string[];
  problem?: { path: string; detail: string };
}

/**
 * Replaces half surrogate pairs in texts and member names by U+FFFD, as `String.prototype.toWellFormed` does. Refuses
 * what JSON cannot hold: numbers beyond its range, too many levels, and two members that a repair gives one name.
 *
 * @returns the row itself when there is nothing to repair
 */
export function cleanRow(row: JsonObject): CleanRow {
  if (isClean(row, 0)) return { ok: true, row, repaired: [] };
  const findings: Findings = { repaired: [] };
  const cleaned = clean(row, "", 0, findings) as JsonObject;
  const { problem, repaired } = findings;
  return problem === undefined ? { ok: true, row: cleaned, repaired } : { ok: false, ...problem };
}

/** The note of each repaired path. */
export function repairNotes(entity: string, id: string | null, paths: readonly string[]): Note[] {
  return paths.map((path) => ({
    entity,
    id,
    code: "TEXT_REPAIRED",
    path,
    detail: "half a surrogate pair became U+FFFD",
  }));
}

/** Why a text cannot be an id in every store; undefined when it can. */
export function idProblem(id: string): string | undefined {
  try {
    assertId(id, "id");
    return undefined;
  } catch (error) {
    return errorMessage(error)
      .replace(/^The id /, "it ")
      .replace(/\.$/, "");
  }
}

/** Almost every row is clean, and needs no paths. */
function isClean(value: JsonValue, depth: number): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item) => isClean(item, depth + 1));
  return Object.entries(value).every(([name, member]) => name.isWellFormed() && isClean(member, depth + 1));
}

function clean(value: JsonValue, path: string, depth: number, findings: Findings): JsonValue {
  const refuse = (detail: string): JsonValue => {
    findings.problem ??= { path, detail };
    return null;
  };
  if (typeof value === "string") return cleanText(value, path, findings);
  if (typeof value === "number" && !Number.isFinite(value)) return refuse("its number is beyond the range of JSON");
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) {
    findings.problem ??= { path: path.split(".", 1)[0]!, detail: `it has more than ${MAX_DEPTH} levels` };
    return null;
  }
  if (Array.isArray(value)) return value.map((item, i) => clean(item, join(path, String(i)), depth + 1, findings));
  const members = new Map<string, JsonValue>();
  for (const [name, member] of Object.entries(value)) {
    const at = join(path, name.toWellFormed());
    const cleanName = cleanText(name, at, findings);
    if (members.has(cleanName)) findings.problem ??= { path: at, detail: "two of its members have one name" };
    members.set(cleanName, clean(member, at, depth + 1, findings));
  }
  return Object.fromEntries(members);
}

function cleanText(text: string, path: string, findings: Findings): string {
  if (text.isWellFormed()) return text;
  findings.repaired.push(path);
  return text.toWellFormed();
}

const join = (path: string, member: string): string => (path === "" ? member : `${path}.${member}`);
