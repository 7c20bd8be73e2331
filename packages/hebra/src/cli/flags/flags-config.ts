import { HebraError, parseOptions } from "@hebra/core";
import * as z from "zod";

const text = z.string().min(1);
const milliseconds = z.number().positive();
const redis = { backend: z.literal("redis"), url: text, namespace: text.optional() };
const postgres = { backend: z.literal("postgres"), url: text, schema: text.optional() };

const provider = z.discriminatedUnion("backend", [
  z.strictObject({ backend: z.literal("environment") }),
  z.strictObject({ backend: z.literal("rollouts"), pollMs: milliseconds.optional() }),
  z.strictObject({ backend: z.literal("file"), path: text, pollMs: milliseconds.optional() }),
  z.strictObject({ ...redis, pollMs: milliseconds.optional() }),
  z.strictObject({ ...postgres, pollMs: milliseconds.optional(), listen: z.boolean().optional() }),
  z.strictObject({
    backend: z.literal("http"),
    url: text,
    eventsUrl: text.optional(),
    headers: z.record(z.string(), z.string()).optional(),
    pollMs: milliseconds.optional(),
  }),
]);

const schema = z
  .strictObject({
    key: text,
    environment: text.optional(),
    /** The strongest first. */
    providers: z.array(provider).min(1),
    assignments: z
      .discriminatedUnion("backend", [
        z.strictObject({ backend: z.literal("memory") }),
        z.strictObject(redis),
        z.strictObject(postgres),
      ])
      .default({ backend: "memory" }),
    rollouts: z
      .discriminatedUnion("backend", [
        z.strictObject({ backend: z.literal("file"), path: text }),
        z.strictObject(redis),
        z.strictObject(postgres),
      ])
      .optional(),
    incidents: z
      .discriminatedUnion("backend", [
        z.strictObject({ backend: z.literal("file"), path: text }),
        z.strictObject(postgres),
      ])
      .optional(),
    idleMs: milliseconds.optional(),
    onKill: z
      .discriminatedUnion("policy", [
        z.strictObject({ policy: z.literal("finish"), deadlineMs: milliseconds.default(60_000) }),
        z.strictObject({ policy: z.literal("cancel"), deadlineMs: milliseconds.default(60_000) }),
      ])
      .optional(),
    flushMs: milliseconds.optional(),
  })
  .superRefine(({ providers, rollouts }, context) => {
    if (rollouts === undefined && providers.some(({ backend }) => backend === "rollouts"))
      context.addIssue({ code: "custom", path: ["rollouts"], message: "is needed for the provider `rollouts`" });
  });

/** The `flags` of a configuration file, with defaults in place. */
export type FlagsConfig = z.output<typeof schema>;

/**
 * @param shared - several processes serve one session, so that they must share its assignment
 * @throws HebraError `INVALID_OPTIONS`, with a did-you-mean for what is unknown; `UNSUPPORTED`
 */
export function parseFlagsConfig(input: object, shared: boolean): FlagsConfig {
  const config = parseOptions("flags", schema, input);
  if (shared && config.assignments.backend === "memory")
    throw new HebraError(
      "UNSUPPORTED",
      "flags.assignments: processes that share a bus must share which engine has a session. Set the backend to redis or postgres.",
    );
  return config;
}
