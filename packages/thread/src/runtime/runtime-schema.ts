import * as z from "zod";
import { telemetryOption } from "../engine/telemetry-options.ts";

const instance = z.custom<object>((value) => typeof value === "object" && value !== null, "must be an object");
const callable = z.custom<() => unknown>((value) => typeof value === "function", "must be a function");
/** What `createRuntime` takes. */
export const runtimeSchema = z.strictObject({
  threads: z.array(instance),
  store: instance,
  bus: instance.optional(),
  locks: instance.optional(),
  route: callable.optional(),
  router: z
    .custom<object>((value) => typeof (value as { route?: unknown } | null)?.route === "function", "has no route()")
    .optional(),
  flag: z.string().min(1).optional(),
  flagContext: callable.optional(),
  legacy: z
    .custom<object>((value) => typeof (value as { answer?: unknown } | null)?.answer === "function", "has no answer()")
    .optional(),
  reply: callable.optional(),
  failureText: z.string().default("Something went wrong on our side. Please try again."),
  busyText: z.string().default("One moment, please: your last message is still being worked on."),
  workers: z.number().int().min(0).default(1),
  oneHost: z.boolean().default(false),
  sweepMs: z.number().min(100).default(30_000),
  leaseTtlMs: z.number().min(100).default(30_000),
  historyItems: z.number().int().min(1).default(40),
  targets: z
    .strictObject({ dispatchP95Ms: z.number().positive().optional(), turnP95Ms: z.number().positive().optional() })
    .optional(),
  intake: z.enum(["store", "bus"]).optional(),
  maxReplyBytes: z.number().int().min(64).default(65_536),
  readFile: callable.optional(),
  blobs: z.custom<object>((value) => typeof (value as { put?: unknown } | null)?.put === "function").optional(),
  approvalTokens: instance.optional(),
  telemetry: telemetryOption.optional(),
  clock: instance.optional(),
  ids: callable.optional(),
  logger: instance.optional(),
});
