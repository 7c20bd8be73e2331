import { describeOptionIssue, HebraError } from "@hebra/core";
import * as z from "zod";
import { checkTargeting } from "./targeting-rules.ts";
import type { FlagDocument, GlobalRollout, RolloutConfig } from "./types.ts";

/** The key of the `rollouts` entry that stands for all flags. */
export const ALL_FLAGS = "*";

const percent = z.number().min(0).max(100).describe("0 to 100; three decimals count");
const instant = z
  .string()
  .refine((text) => !Number.isNaN(Date.parse(text)), { message: "not an ISO 8601 date" })
  .describe("ISO 8601 date or instant");
const mode = z.enum(["legacy", "shadow", "new"]);
const unit = z.enum(["session", "project", "org"]);
const kill = z.strictObject({ at: instant, by: z.string(), reason: z.string() }).nullable().optional();
const ids = z.array(z.string().min(1)).optional();
const lists = { session: ids, project: ids, org: ids };

const rolloutSchema = z.strictObject({
  version: z.int().min(1).describe("Grows with each change; one that goes back is refused"),
  owner: z.string().optional(),
  expires: instant.optional(),
  kill,
  environments: z
    .record(z.string(), z.strictObject({ active: z.boolean(), maxPercent: percent.optional(), kill }))
    .optional(),
  maxPercent: percent.optional().describe("Cap of the canary percent in every environment"),
  deny: z.strictObject(lists).optional(),
  pin: z.array(z.strictObject({ unit, id: z.string().min(1), mode, until: instant.optional() })).optional(),
  prerequisites: z.array(z.strictObject({ flag: z.string().min(1), mode: mode.optional() })).optional(),
  allow: z.strictObject({ ...lists, mode: mode.optional() }).optional(),
  bucketing: z
    .strictObject({
      algorithm: z.literal("murmur3-32-utf8-1e5").optional(),
      unit: unit.optional(),
      salt: z.string().optional(),
      missingUnit: z.literal("legacy").optional(),
    })
    .optional(),
  holdBack: z.strictObject({ percent }).optional(),
  canary: z.strictObject({ percent }).optional(),
  shadow: z
    .strictObject({
      percent,
      timeoutMs: z.int().positive().optional(),
      maxInFlight: z.int().positive().optional(),
      aaPercent: percent.optional(),
      comparator: z.string().optional(),
    })
    .optional(),
  plan: z.record(z.string(), z.unknown()).optional(),
});

const globalSchema = z.strictObject({
  kill,
  environments: z.record(z.string(), z.strictObject({ kill })).optional(),
});

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const metadata = z.record(z.string(), scalar);
const named = z.string().min(1);
const flagSchema = z.looseObject({
  state: z.enum(["ENABLED", "DISABLED"]),
  variants: z.record(named, z.unknown()).refine((variants) => sameType(Object.values(variants)), {
    message: "the variants of a flag must be there, and all of one type",
  }),
  defaultVariant: z.string().nullable().optional(),
  targeting: z.unknown().optional(),
  metadata: metadata.optional(),
});
const documentSchema = z.looseObject({
  $schema: z.string().optional(),
  metadata: metadata.optional(),
  $evaluators: z.record(z.string(), z.unknown()).optional(),
  flags: z.record(named, flagSchema),
  rollouts: z.record(z.string(), z.unknown()).optional(),
});

function sameType(values: readonly unknown[]): boolean {
  const types = new Set(values.map((value) => typeof value));
  return (
    types.size === 1 &&
    (types.has("boolean") ||
      types.has("string") ||
      types.has("number") ||
      (types.has("object") && values.every((value) => value !== null && !Array.isArray(value))))
  );
}

/** The `rollouts` map, for its published JSON Schema. @internal */
export const rolloutsSchema = z.object({ [ALL_FLAGS]: globalSchema.optional() }).catchall(rolloutSchema);

/** The daemon's schema also knows a list of flags, each with its key; providers' documents, the default, do not. */
export function fromList(input: unknown): unknown {
  const { $schema, flags } = (input ?? {}) as { $schema?: unknown; flags?: unknown };
  if (typeof $schema !== "string" || !/(^|\/)flagd\.json$/.test($schema) || !Array.isArray(flags)) return input;
  const keyed = flags.map((flag: unknown) => [(flag as { key?: unknown } | null)?.key, flag] as const);
  if (keyed.some(([key]) => typeof key !== "string")) return input;
  return { ...(input as object), flags: Object.fromEntries(keyed) };
}

/**
 * Checks one flag document: flagd's flags with their targeting, and the sibling `rollouts`.
 *
 * @throws HebraError `FLAG_INVALID` naming each path that is wrong.
 */
export function parseFlagDocument(input: unknown): FlagDocument {
  const problems: string[] = [];
  const document = check(documentSchema, fromList(input), [], problems);
  for (const [key, flag] of Object.entries(document?.flags ?? {})) {
    if (flag.targeting !== undefined) checkTargeting(flag.targeting, `flags.${key}.targeting`, problems);
  }
  for (const [name, rule] of Object.entries(document?.$evaluators ?? {}))
    checkTargeting(rule, `$evaluators.${name}`, problems);
  for (const [key, entry] of Object.entries(document?.rollouts ?? {})) {
    check(key === ALL_FLAGS ? globalSchema : rolloutSchema, entry, ["rollouts", key], problems);
  }
  if (problems.length > 0) {
    throw new HebraError(
      "FLAG_INVALID",
      `The flag document is not valid: ${problems.join("; ")}${problems.at(-1)?.endsWith("?") === true ? "" : "."}`,
      { details: { problems } },
    );
  }
  return document as unknown as FlagDocument;
}

/**
 * Checks the text of one flag document.
 *
 * @throws HebraError `PARSE_ERROR` when it is not JSON, `FLAG_INVALID` when it is not a flag document.
 */
export function parseFlagText(text: string): FlagDocument {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (cause) {
    throw new HebraError("PARSE_ERROR", "The flag document is not JSON; the last good one stays in force.", { cause });
  }
  return parseFlagDocument(input);
}

/** A document as it was read, and the flags of it that cannot be used, each with the reason. */
export interface ReadDocument {
  readonly document: FlagDocument;
  readonly rejected: Readonly<Record<string, string>>;
}

/**
 * Reads the text of a document that somebody else keeps, as flagd does: a flag that is not valid takes no other along,
 * and what a `targeting` may say is left to flagd's own evaluator.
 *
 * @throws HebraError `PARSE_ERROR` when it is not JSON, `FLAG_INVALID` when it is no flag document at all.
 */
export function readFlagText(text: string): ReadDocument {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (cause) {
    throw new HebraError("PARSE_ERROR", "The flag document is not JSON; the last good one stays in force.", { cause });
  }
  const whole = fromList(input) as { readonly flags?: unknown; readonly rollouts?: unknown };
  const [flags, rollouts] = [entriesOf(whole?.flags), entriesOf(whole?.rollouts ?? {})];
  // What has no entries has nothing to be kept.
  if (flags === undefined || rollouts === undefined) return { document: parseFlagDocument(input), rejected: {} };
  const rejected = Object.create(null) as Record<string, string>;
  const keep = (entries: [string, unknown][], schemaOf: (key: string) => z.ZodType, at: string) =>
    Object.fromEntries(
      entries.filter(([key, entry]) => {
        const problems: string[] = [];
        check(schemaOf(key), entry, [at, key], problems);
        if (problems.length > 0) rejected[key] = problems.join("; ");
        return problems.length === 0;
      }),
    );
  const kept = {
    ...whole,
    flags: keep(flags, () => flagSchema, "flags"),
    ...(whole.rollouts === undefined
      ? {}
      : { rollouts: keep(rollouts, (key) => (key === ALL_FLAGS ? globalSchema : rolloutSchema), "rollouts") }),
  };
  // A kill of everything that cannot be read must not be passed over.
  if (rejected[ALL_FLAGS] !== undefined) return { document: parseFlagDocument(input), rejected: {} };
  const problems: string[] = [];
  const document = check(documentSchema, kept, [], problems);
  if (document === undefined)
    throw new HebraError("FLAG_INVALID", `The flag document is not valid: ${problems.join("; ")}.`, {
      details: { problems },
    });
  return { document: document as unknown as FlagDocument, rejected };
}

function entriesOf(value: unknown): [string, unknown][] | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
}

function check<S extends z.ZodType>(
  schema: S,
  input: unknown,
  at: readonly PropertyKey[],
  problems: string[],
): z.output<S> | undefined {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  for (const issue of result.error.issues) problems.push(describeOptionIssue(issue, schema, at));
  return undefined;
}

/** The rollouts of a document, without the entry for all flags. */
export function rolloutEntries(document: FlagDocument): [string, RolloutConfig][] {
  return Object.entries(document.rollouts ?? {}).filter(([key]) => key !== ALL_FLAGS);
}

/** The entry for all flags, if the document has one. */
export function globalRollout(document: FlagDocument): GlobalRollout | undefined {
  return document.rollouts?.[ALL_FLAGS] as GlobalRollout | undefined;
}
