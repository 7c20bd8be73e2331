import {
  describeIssues,
  errorMessage,
  HebraError,
  isStandardSchema,
  jsonSchemaOf,
  validateStandard,
  type JsonObject,
  type StandardSchema,
} from "@hebra/core";
import * as z from "zod";
import { closeObjects } from "./close-objects.ts";
import { issueLines } from "./schema-issues.ts";

/** The mark of the AI SDK's own schema objects, `jsonSchema(...)` and `zodSchema(...)`. */
const aiSdkMark = Symbol.for("vercel.ai.schema");

/** Drafts in the order of preference: model providers know draft-07 best. */
const targets = ["draft-07", "draft-2020-12"] as const;

interface AiSdkSchema {
  readonly jsonSchema: unknown;
  readonly validate?: (value: unknown) => AiSdkResult | PromiseLike<AiSdkResult>;
}

type AiSdkResult = { success: true; value: unknown } | { success: false; error: unknown };

/** What came of a validation: the value as the schema made it, or what is wrong, one line each. */
export type Validation = { ok: true; value: unknown } | { ok: false; issues: string[] };

const cache = new WeakMap<object, JsonObject>();

/**
 * The JSON Schema of what may be given as a schema: a Standard Schema that can say it (zod 4.2 and later, arktype), any
 * zod 4
 * schema, an AI SDK `jsonSchema()`, `zodSchema()` or lazy schema, or a JSON Schema document, which is returned as it
 * is.
 * `undefined` stands for an empty object. Generated schemas are draft-07, describe what goes in, and close their
 * objects
 * (`additionalProperties: false`), as providers with strict modes ask for.
 *
 * @throws HebraError `UNSUPPORTED` for a schema that cannot be turned into JSON Schema, with what to pass instead.
 *
 * @example
 * ```ts
 * import { toJsonSchema } from "@hebra/reactor";
 * import * as z from "zod";
 *
 * console.log(toJsonSchema(z.object({ id: z.string() })));
 * ```
 */
export function toJsonSchema(schema: unknown): JsonObject {
  if (schema === undefined) return emptyObject();
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null)
    throw unsupported(`a ${schema === null ? "null" : typeof schema} is not a schema`);
  const known = cache.get(schema);
  if (known !== undefined) return known;
  const made = convert(schema);
  cache.set(schema, made);
  return made;
}

/**
 * Validates a value against anything that {@link toJsonSchema} takes, by the schema's own means. A JSON Schema document
 * and an
 * AI SDK `jsonSchema()` without `validate` bring no validator: any value passes then, and `undefined` takes any object.
 * Never throws: a validator that throws counts as an issue.
 *
 * @example
 * ```ts
 * import { validateAgainst } from "@hebra/reactor";
 * import * as z from "zod";
 *
 * console.log(await validateAgainst(z.object({ id: z.string() }), { id: 7 }));
 * // { ok: false, issues: ["id: Invalid input: expected string, received number"] }
 * ```
 */
export async function validateAgainst(schema: unknown, value: unknown): Promise<Validation> {
  try {
    return await validate(schema, value);
  } catch (error) {
    return { ok: false, issues: [`the schema's own validation failed: ${errorMessage(error)}`] };
  }
}

function convert(schema: object): JsonObject {
  if (isAiSdkSchema(schema)) return settled(schema.jsonSchema);
  if (isStandardSchema(schema)) {
    const made = fromStandard(schema);
    if (made !== undefined) return closeObjects(made);
  }
  if (isZod4(schema))
    return closeObjects(
      generate("zod", () => z.toJSONSchema(schema, { target: "draft-7", io: "input" }) as JsonObject),
    );
  if (isStandardSchema(schema)) {
    throw unsupported(
      `the ${schema["~standard"].vendor} schema does not say its JSON Schema; use a version that implements Standard JSON Schema, or the AI SDK's \`jsonSchema(document, { validate })\``,
    );
  }
  if (typeof schema === "function") return toJsonSchema((schema as () => unknown)());
  return schema as JsonObject;
}

async function validate(schema: unknown, value: unknown): Promise<Validation> {
  if (schema === undefined)
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? { ok: true, value }
      : { ok: false, issues: ["must be an object"] };
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null)
    throw unsupported(`a ${typeof schema} is not a schema`);
  if (isAiSdkSchema(schema)) {
    const result = await schema.validate?.(value);
    if (result === undefined) return { ok: true, value };
    return result.success ? { ok: true, value: result.value } : { ok: false, issues: issueLines(result.error) };
  }
  if (isStandardSchema(schema)) {
    const result = await validateStandard(schema, value);
    return result.ok ? result : { ok: false, issues: result.issues.map((issue) => describeIssues([issue])) };
  }
  if (typeof schema === "function") return validate((schema as () => unknown)(), value);
  return { ok: true, value };
}

function isAiSdkSchema(schema: object): schema is AiSdkSchema {
  return (schema as Record<symbol, unknown>)[aiSdkMark] === true;
}

function isZod4(schema: object): schema is z.core.$ZodType {
  return "_zod" in schema;
}

function fromStandard(schema: StandardSchema): JsonObject | undefined {
  let failure: unknown;
  for (const target of targets) {
    try {
      return generate(schema["~standard"].vendor, () => jsonSchemaOf(schema, { target }) as JsonObject | undefined);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function generate<T>(vendor: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw unsupported(`the ${vendor} schema has no JSON Schema: ${errorMessage(error)}`, error);
  }
}

function settled(document: unknown): JsonObject {
  if (typeof (document as PromiseLike<unknown> | undefined)?.then === "function")
    throw unsupported("the AI SDK schema holds a promise of its JSON Schema; await it first");
  return document as JsonObject;
}

function emptyObject(): JsonObject {
  return { type: "object", properties: {}, additionalProperties: false };
}

function unsupported(what: string, cause?: unknown): HebraError {
  return new HebraError("UNSUPPORTED", `A schema cannot be used: ${what}.`, { cause });
}
