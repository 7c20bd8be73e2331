import { parseOptions, type Telemetry } from "@hebra/core";
import * as z from "zod";
import { telemetryOption, type ThreadTelemetryOptions } from "./telemetry-options.ts";
import type { EngineOptions } from "./api.ts";
import type { AnswerLimits } from "./turn/answer.ts";

const DEFAULT_HISTORY_ITEMS = 40;
const DEFAULT_SETTLE_WINDOW_MS = 250;
const DEFAULT_LEASE_TTL_MS = 30_000;
const DEFAULT_MAX_ATTEMPTS = 5;

const DEFAULT_ANSWER_CALLS = 100;
const DEFAULT_ANSWER_PARTS = 2_000;
const DEFAULT_ANSWER_CHARACTERS = 8_000_000;

const instance = z.custom<object>((value) => typeof value === "object" && value !== null, "must be an object");
const callable = z.custom<() => number>((value) => typeof value === "function", "must be a function");
const schema = z.strictObject({
  store: instance,
  threads: z.array(instance),
  locks: instance.optional(),
  historyItems: z.number().int().positive().default(DEFAULT_HISTORY_ITEMS),
  settleWindowMs: z.number().nonnegative().default(DEFAULT_SETTLE_WINDOW_MS),
  leaseTtlMs: z.number().min(100).default(DEFAULT_LEASE_TTL_MS),
  maxAttempts: z.number().int().positive().default(DEFAULT_MAX_ATTEMPTS),
  answerLimits: z
    .strictObject({
      calls: z.number().int().positive().default(DEFAULT_ANSWER_CALLS),
      parts: z.number().int().positive().default(DEFAULT_ANSWER_PARTS),
      characters: z.number().int().positive().default(DEFAULT_ANSWER_CHARACTERS),
    })
    .prefault({}),
  recoverEveryMs: z.number().min(100).or(z.literal(false)).optional(),
  readFile: callable.optional(),
  blobs: z
    .custom<object>((value) => typeof (value as { put?: unknown } | null)?.put === "function", "must be a blob store")
    .optional(),
  clock: instance.optional(),
  random: callable.optional(),
  logger: instance.optional(),
  telemetry: telemetryOption.optional(),
  outbox: z.custom<() => unknown>((value) => typeof value === "function", "must be a function").optional(),
  tail: z
    .custom<object>(
      (value) => typeof (value as { append?: unknown } | null)?.append === "function",
      "must be a live tail",
    )
    .optional(),
  wake: z.custom<() => unknown>((value) => typeof value === "function", "must be a function").optional(),
});

/** What is checked of the options, with its defaults. */
export interface ParsedEngineOptions {
  historyItems: number;
  settleWindowMs: number;
  leaseTtlMs: number;
  maxAttempts: number;
  answerLimits: AnswerLimits;
  recoverEveryMs?: number | false | undefined;
  telemetry?: Telemetry | ThreadTelemetryOptions | undefined;
}

/** @throws HebraError `INVALID_OPTIONS` */
export function parseEngineOptions(options: EngineOptions): ParsedEngineOptions {
  return parseOptions("createEngine", schema, options);
}
