import type * as z from "zod";
import { HebraError } from "./errors.ts";

/**
 * Parses a factory's options once, with a strict schema. An unknown key gets a did-you-mean.
 *
 * @param where - the factory, for the message: `redisBus`.
 * @throws HebraError `INVALID_OPTIONS` naming each problem.
 */
export function parseOptions<S extends z.ZodType>(where: string, schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describeOptionIssue(issue, schema));
  throw new HebraError("INVALID_OPTIONS", `${where}: ${sentence(problems)}`, { details: { where, problems } });
}

/** Problems as one sentence, which may end with a question. */
function sentence(problems: readonly string[]): string {
  const text = problems.join("; ");
  return text.endsWith("?") ? text : `${text}.`;
}

/**
 * One problem that a schema found, for people: where it is and what is wrong. An unknown key gets a did-you-mean.
 *
 * @param at - where the schema's input stands in what the person wrote.
 */
export function describeOptionIssue(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  at: readonly PropertyKey[] = [],
): string {
  const path = [...at, ...issue.path].map(String).join(".");
  if (issue.code !== "unrecognized_keys") return path === "" ? issue.message : `\`${path}\`: ${issue.message}`;
  const known = keysAt(schema, issue.path);
  return issue.keys
    .map((key) => {
      const near = didYouMean(key, known);
      const full = [...at, ...issue.path, key].map(String).join(".");
      return `unknown option \`${full}\`${near === undefined ? "" : `; did you mean \`${[...at, ...issue.path, near].map(String).join(".")}\`?`}`;
    })
    .join("; ");
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  for (const key of path)
    current =
      typeof key === "number"
        ? unwrap(current, "element")?.element
        : (shapeOf(current)?.[String(key)] ?? unwrap(current, "valueType")?.valueType);
  return Object.keys(shapeOf(current) ?? {});
}

interface SchemaParts {
  shape?: Record<string, unknown>;
  element?: unknown;
  valueType?: unknown;
  def?: { innerType?: unknown };
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  return unwrap(schema, "shape")?.shape;
}

/** Looks through defaults, optionals and the like for the schema that has the part. */
function unwrap(schema: unknown, part: "shape" | "element" | "valueType"): SchemaParts | undefined {
  let current = schema as SchemaParts | undefined;
  while (current !== undefined && current[part] === undefined)
    current = current.def?.innerType as SchemaParts | undefined;
  return current;
}

/** The candidate nearest to what was typed, when near enough to be meant. */
export function didYouMean(typed: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  // Of a short word two letters are most of it: anything would be near.
  let bestDistance = (typed.length < 4 ? 1 : Math.max(2, Math.floor(typed.length / 3))) + 1;
  for (const candidate of candidates) {
    const d = distance(typed.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) [best, bestDistance] = [candidate, d];
  }
  return best;
}

/** Levenshtein distance, two rows at a time. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
