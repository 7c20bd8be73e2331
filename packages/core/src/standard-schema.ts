import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { redactText } from "./redact.ts";

/** Any schema that follows Standard Schema v1: zod, valibot, arktype and others. See https://standardschema.dev. */
export type StandardSchema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/** What a schema takes. */
export type InferInput<S extends StandardSchemaV1> = StandardSchemaV1.InferInput<S>;

/** What a schema gives after its defaults and transforms. */
export type InferOutput<S extends StandardSchemaV1> = StandardSchemaV1.InferOutput<S>;

/** One way in which a value does not fit. */
export interface StandardIssue {
  /** Where: `items[0].price`; empty for the value itself. */
  path: string;
  /** What, as the schema says it, secrets hidden. */
  message: string;
}

/** Whether a value fits a schema: the output, or every issue. */
export type StandardResult<Output> = { ok: true; value: Output } | { ok: false; issues: StandardIssue[] };

/**
 * Validates a value. The result is a promise only if the schema's own validation is asynchronous, so `await` it.
 *
 * @example
 * ```ts
 * import { validateStandard } from "@hebra/core";
 * import * as z from "zod";
 *
 * const result = await validateStandard(z.object({ order: z.string() }), { order: 7 });
 * if (!result.ok) console.log(result.issues[0]?.path); // order
 * ```
 */
export function validateStandard<S extends StandardSchemaV1>(
  schema: S,
  value: unknown,
): StandardResult<InferOutput<S>> | Promise<StandardResult<InferOutput<S>>> {
  const result = schema["~standard"].validate(value);
  return isThenable(result) ? Promise.resolve(result).then((settled) => toResult<S>(settled)) : toResult<S>(result);
}

/** Whether a value is a Standard Schema v1. Schemas may be objects or functions. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  const standard = standardOf(value);
  return standard?.["version"] === 1 && typeof standard["validate"] === "function";
}

/** Writes issues as one line: `items[0].price: must be a number; …`. */
export function describeIssues(issues: readonly StandardIssue[]): string {
  return issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
}

/** Which side of a schema to describe, and in which dialect. */
export interface StandardJsonSchemaOptions {
  /** @defaultValue `"input"` */
  side?: "input" | "output";
  /** @defaultValue `"draft-07"` */
  target?: StandardJSONSchemaV1.Target;
}

/**
 * The JSON Schema of a schema that can give one by the Standard JSON Schema convention (zod from 4.2 on), else
 * `undefined`.
 * Throws what the schema's library throws for a type that JSON Schema cannot express.
 */
export function jsonSchemaOf(
  schema: StandardSchemaV1,
  options: StandardJsonSchemaOptions = {},
): Record<string, unknown> | undefined {
  const converter = standardOf(schema)?.["jsonSchema"] as StandardJSONSchemaV1.Converter | undefined;
  const convert = converter?.[options.side ?? "input"];
  return typeof convert === "function" ? convert({ target: options.target ?? "draft-07" }) : undefined;
}

function standardOf(value: unknown): Record<string, unknown> | undefined {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  const standard = (value as Record<string, unknown>)["~standard"];
  return typeof standard === "object" && standard !== null ? (standard as Record<string, unknown>) : undefined;
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null)?.then === "function";
}

function toResult<S extends StandardSchemaV1>(
  result: StandardSchemaV1.Result<unknown>,
): StandardResult<InferOutput<S>> {
  if (result.issues === undefined) return { ok: true, value: result.value as InferOutput<S> };
  return {
    ok: false,
    issues: result.issues.map((issue) => ({ path: pathText(issue.path ?? []), message: redactText(issue.message) })),
  };
}

function pathText(path: NonNullable<StandardSchemaV1.Issue["path"]>): string {
  let text = "";
  for (const segment of path) {
    const key = typeof segment === "object" ? segment.key : segment;
    text += typeof key === "number" ? `[${key}]` : text === "" ? String(key) : `.${String(key)}`;
  }
  return text;
}
