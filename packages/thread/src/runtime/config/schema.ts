import * as z from "zod";
import { sqliteDriverNames } from "../../store/sqlite/driver-names.ts";

/**
 * A runtime as data. Members of `bus`, `locks` and `store` have the names of the factories' options; what a factory
 * defaults is left out here, so that it stays the factory's.
 */
const whole = (min: number) => z.number().int().min(min);
const address = {
  url: z.string().min(1).optional(),
  connection: z.record(z.string(), z.unknown()).optional(),
  cluster: z
    .strictObject({
      nodes: z.array(z.union([z.string(), z.strictObject({ host: z.string(), port: z.number() })])).min(1),
      options: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
};
const tenant = z.strictObject({
  weight: whole(1).optional(),
  maxInFlight: whole(1).optional(),
  perMinute: whole(1).optional(),
  burst: whole(1).optional(),
});
const bus = z.strictObject({
  backend: z.enum(["local", "redis"]).default("local"),
  ...address,
  namespace: z.string().optional(),
  leaseMs: whole(50).optional(),
  retry: z
    .strictObject({
      maxAttempts: whole(1).optional(),
      maxAgeMs: whole(1).optional(),
      baseMs: whole(0).optional(),
      capMs: whole(0).optional(),
      onExhausted: z.enum(["dead-letter", "park"]).optional(),
    })
    .optional(),
  maxAttempts: whole(1).optional(),
  maxBacklog: whole(1).optional(),
  overflow: z.enum(["reject", "drop-oldest", "block", "shed"]).optional(),
  overflowWaitMs: whole(1).optional(),
  dedupWindowMs: whole(1).optional(),
  maxMessageBytes: whole(256).optional(),
  maxDeadLetters: whole(1).optional(),
  maxDeadLettersPerTenant: whole(1).optional(),
  tenants: z.strictObject({ default: tenant.optional(), byTenant: z.record(z.string(), tenant).optional() }).optional(),
  partitions: whole(1).max(256).optional(),
  durability: z.enum(["memory", "replicated", "fsync"]).optional(),
  onDurabilityMissed: z.enum(["accept", "refuse"]).optional(),
  replicas: whole(1).optional(),
  durabilityTimeoutMs: whole(1).optional(),
  requestTimeoutMs: whole(10).optional(),
});
const locks = z.strictObject({
  enabled: z
    .literal(
      true,
      [
        "cannot be false: locks elect the leader of the schedule and show who is alive, and two processes without them",
        "would both do its jobs. A single process has local ones, which cost nothing",
      ].join(" "),
    )
    .optional(),
  backend: z.enum(["local", "redis"]).default("local"),
  ...address,
  namespace: z.string().optional(),
  ttlMs: z.number().min(1).optional(),
  waitMs: z.number().min(0).optional(),
  pollMs: whole(50).optional(),
  requestTimeoutMs: z.number().min(10).optional(),
});
const store = z.strictObject({
  backend: z.enum(["local", "memory", "sqlite", "postgres", "redis"]).default("local"),
  path: z.string().min(1).default(".hebra/threads.sqlite"),
  ignoreLocal: z.boolean().optional(),
  ...address,
  connectionString: z.string().min(1).optional(),
  schema: z.string().optional(),
  poolSize: whole(1).optional(),
  prepare: z.boolean().optional(),
  pglite: z.string().min(1).optional(),
  busyMs: whole(0).optional(),
  synchronous: z.enum(["FULL", "NORMAL"]).optional(),
  driver: z.enum(sqliteDriverNames).optional(),
  namespace: z.string().optional(),
  migrations: z.enum(["automatic", "manual"]).optional(),
});

const schema = z
  .strictObject({
    bus: bus.prefault({}),
    locks: locks.prefault({}),
    store: store.prefault({}),
    workers: whole(0).default(1),
    oneHost: z.boolean().default(false),
    sweepMs: z.number().min(100).optional(),
    intake: z.enum(["store", "bus"]).optional(),
    maxReplyBytes: whole(64).optional(),
    historyItems: whole(1).optional(),
    leaseTtlMs: z.number().min(100).optional(),
    failureText: z.string().optional(),
    busyText: z.string().optional(),
    targets: z
      .strictObject({ dispatchP95Ms: z.number().positive().optional(), turnP95Ms: z.number().positive().optional() })
      .optional(),
  })
  .superRefine((config, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    for (const part of ["bus", "locks", "store"] as const) {
      const { backend, url } = config[part];
      const { connectionString, pglite } = part === "store" ? config.store : {};
      const addresses = Object.entries({ ...addressOf(config[part]), connectionString, pglite })
        .filter(([, value]) => value !== undefined)
        .map(([name]) => name);
      if (backend === "postgres" && url === undefined && connectionString === undefined && pglite === undefined)
        refuse([part, "url"], "is needed for the backend postgres");
      if (backend === "redis" && Object.keys(addressOf(config[part])).length === 0)
        refuse([part, "url"], "is needed for the backend redis, or a `connection` or a `cluster`");
      if (addresses.length > 1) refuse([part], `has ${addresses.join(" and ")}: exactly one is needed`);
    }
    if (config.bus.maxAttempts !== undefined && config.bus.retry?.maxAttempts !== undefined)
      refuse(["bus", "maxAttempts"], "and `bus.retry.maxAttempts` are the same: set one");
  });

/** A configuration with every default in place. */
export type ParsedConfig = z.output<typeof schema>;

/** The shape of a configuration. */
export const configSchema = schema;

/** Leaves out what is undefined. */
export const given = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

/** What a configuration says of where its server is. */
export function addressOf({ url, connection, cluster }: ParsedConfig["bus" | "locks" | "store"]) {
  return given({
    url,
    connection,
    cluster: cluster && { nodes: cluster.nodes, ...given({ options: cluster.options }) },
  });
}
