import { HebraError, parseOptions, type Clock } from "@hebra/core";
import * as z from "zod";
import type { ReactorInput } from "./reactor.ts";
import type { ScriptedStepSource } from "./scripted-step-source.ts";
import type { ScriptedStep } from "./scripted-step.ts";

type Steps = readonly ScriptedStepSource[];

const isFunction = (value: unknown): boolean => typeof value === "function";
const deltas = z.union([z.string(), z.array(z.string())], "must be a string or a list of strings").optional();
const json = z.custom<unknown>((value) => value !== undefined, "is missing");
const isError = z.custom<Error>((value) => value instanceof Error);

const result = z.union(
  [z.strictObject({ output: json }), z.strictObject({ error: z.string() })],
  "must be { output } or { error }",
);

const action = z
  .strictObject({
    name: z.string().min(1),
    input: json,
    callId: z.string().min(1).optional(),
    result: result.optional(),
    approval: z.strictObject({ reason: z.string().optional() }).optional(),
  })
  .refine((value) => value.result === undefined || value.approval === undefined, "has both `result` and `approval`");

const stepSchema = z.strictObject({
  reasoning: deltas,
  text: deltas,
  sources: z.array(z.looseObject({ id: z.string() })).optional(),
  files: z.array(z.looseObject({ mediaType: z.string(), url: z.string() })).optional(),
  data: z.array(z.looseObject({ name: z.string(), data: json })).optional(),
  actions: z.array(action).optional(),
  results: z.record(z.string(), result).optional(),
  session: z.unknown().optional(),
  error: z.union([z.string(), isError], "must be a string or an Error").optional(),
  usage: z.looseObject({}).optional(),
  finish: z.enum(["stop", "actions", "length", "content-filter", "other"]).optional(),
});

/** The options of `scriptedReactor`; steps are parsed one by one, for messages that name the step. */
export const scriptedOptions = z.strictObject({
  steps: z
    .custom<Steps | ((input: ReactorInput) => Steps)>(
      (value) => isFunction(value) || Array.isArray(value),
      "must be a list of steps or a function",
    )
    .refine((value) => typeof value === "function" || value.length > 0, "must hold at least one step"),
  repeatLast: z.boolean().optional(),
  delayMs: z.number().nonnegative().optional(),
  clock: z.custom<Clock>((value) => isFunction((value as Clock | null)?.after), "must be a clock").optional(),
  name: z.string().min(1).optional(),
  runsActions: z.boolean().optional(),
});

/** Checks one step; what is returned is the step itself, not a copy. */
export function parseStep(step: ScriptedStep, where: string): ScriptedStep {
  parseOptions(`scriptedReactor ${where}`, stepSchema, step);
  return step;
}

/** The line of the script for one call. */
export function pickStep(
  steps: Steps | ((input: ReactorInput) => Steps),
  repeatLast: boolean,
  input: ReactorInput,
): ScriptedStepSource {
  const script = typeof steps === "function" ? steps(input) : steps;
  const { iteration } = input.ids;
  const step = script[iteration] ?? (repeatLast ? script.at(-1) : undefined);
  if (step !== undefined) return step;
  throw new HebraError(
    "SCRIPT_EXHAUSTED",
    `The script has ${script.length} step(s), and iteration ${iteration} was asked for. Add steps, or set \`repeatLast\`.`,
    {
      details: { steps: script.length, iteration },
    },
  );
}
