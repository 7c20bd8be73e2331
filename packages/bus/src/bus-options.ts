import { parseOptions, systemClock, createIdGenerator, type Clock, type IdGenerator } from "@hebra/core";
import { lockKey } from "@hebra/lock";
import * as z from "zod";
import type { BusEvent } from "./client/bus-events.ts";
import type { LimitsOf } from "./mailbox/lanes.ts";
import type { TenantLimits } from "./mailbox/state.ts";

/**
 * What one tenant may use. Counts hold for the whole bus; on a Redis Cluster they are shared out among its partitions.
 */
export interface TenantOptions {
  /** Conversations served in a row before the next tenant's turn: a whole number. @defaultValue 1 */
  weight?: number;
  /** Conversations on lease at once. @defaultValue no limit */
  maxInFlight?: number;
  /** Deliveries a minute. @defaultValue no limit */
  perMinute?: number;
  /** Deliveries that may come at once after a pause, when `perMinute` is set. @defaultValue 10 */
  burst?: number;
}

/** When and how often a failed message is tried again. */
export interface RetryOptions {
  /** Deliveries of one message before it is given up. Leases that ended without an answer count. @defaultValue 5 */
  maxAttempts?: number;
  /** Milliseconds after its publication from which a message that failed is not tried again. @defaultValue 3 600 000 */
  maxAgeMs?: number;
  /** Upper bound of the first delay in milliseconds; it doubles with each attempt. @defaultValue 1 000 */
  baseMs?: number;
  /** Upper bound of any delay in milliseconds. @defaultValue 60 000 */
  capMs?: number;
  /**
   * `dead-letter`: the message leaves and its conversation goes on. `park`: the conversation stands still, with the
   * message
   * at its head, until its dead letter is replayed or discarded. @defaultValue `dead-letter`
   */
  onExhausted?: "dead-letter" | "park";
}

/** What every bus takes. */
export interface BusOptions {
  /**
   * Milliseconds that a conversation stays with a consumer that fell silent. Leases are renewed every third.
   * @defaultValue 30 000
   */
  leaseMs?: number;
  /** When and how often a failed message is tried again. */
  retry?: RetryOptions;
  /** Messages that one conversation may have waiting. @defaultValue 10 000 */
  maxBacklog?: number;
  /**
   * What happens to a message whose conversation has `maxBacklog` messages waiting. `reject`: its receipt is `full`,
   * and it can be published again. `drop-oldest`: the oldest message that nobody holds moves to the dead letters.
   * `block`: the publish waits for room, up to `overflowWaitMs`, with later messages of the conversation behind it;
   * then the receipt is `full`. `shed`: the message is dropped, its receipt is `shed`, and nobody has to repeat it.
   * Replies of an ack always fit; other messages for gateways never wait. @defaultValue `reject`
   */
  overflow?: "reject" | "drop-oldest" | "block" | "shed";
  /** With `overflow: "block"`: how long a publish waits for room, in milliseconds. @defaultValue 5 000 */
  overflowWaitMs?: number;
  /**
   * Milliseconds for which duplicates are recognised, at least; not less than `retry.maxAgeMs`. @defaultValue 3 600 000
   */
  dedupWindowMs?: number;
  /** Bytes of an envelope at most. @defaultValue 262 144 */
  maxMessageBytes?: number;
  /** Dead letters kept; beyond, the oldest go. @defaultValue 10 000 */
  maxDeadLetters?: number;
  /**
   * Dead letters kept of one tenant; beyond, its oldest go, so that one tenant pushes out no other's. On a Redis
   * Cluster this holds for each partition.
   * @defaultValue a tenth of `maxDeadLetters`
   */
  maxDeadLettersPerTenant?: number;
  /** Limits by tenant, and for all that are not named. @defaultValue none: tenants simply take turns */
  tenants?: { default?: TenantOptions; byTenant?: Record<string, TenantOptions> };
  /** Where time comes from. @defaultValue the system's */
  clock?: Clock;
  /** Makes message ids. @defaultValue a UUIDv7 for the bus and a count */
  ids?: IdGenerator;
  /** A number in [0, 1) for jitter. @defaultValue `Math.random` */
  random?: () => number;
  /** Hears what happens, for metrics and logs. It must not throw. */
  onEvent?: (event: BusEvent) => void;
}

const whole = (min: number) => z.number().int().min(min).max(Number.MAX_SAFE_INTEGER);
const tenant = z.strictObject({
  weight: whole(1).max(1_000).optional(),
  maxInFlight: whole(1).optional(),
  perMinute: whole(1).max(1_000_000).optional(),
  burst: whole(1).max(1_000_000).optional(),
});
const callable = <T>() => z.custom<T>((value) => typeof value === "function", "expected a function");

/** The shape of {@link BusOptions}, for adapters to extend. */
export const busOptionsShape = {
  leaseMs: whole(50).default(30_000),
  retry: z
    .strictObject({
      maxAttempts: whole(1).default(5),
      maxAgeMs: whole(1).default(3_600_000),
      baseMs: whole(0).default(1_000),
      capMs: whole(0).default(60_000),
      onExhausted: z.enum(["dead-letter", "park"]).default("dead-letter"),
    })
    .prefault({}),
  maxBacklog: whole(1).default(10_000),
  overflow: z.enum(["reject", "drop-oldest", "block", "shed"]).default("reject"),
  overflowWaitMs: whole(1).default(5_000),
  dedupWindowMs: whole(1).default(3_600_000),
  maxMessageBytes: whole(256).default(262_144),
  maxDeadLetters: whole(1).default(10_000),
  maxDeadLettersPerTenant: whole(1).optional(),
  tenants: z.strictObject({ default: tenant.optional(), byTenant: z.record(z.string(), tenant).optional() }).optional(),
  clock: z
    .custom<Clock>((value) => typeof (value as Clock | undefined)?.monotonic === "function", "expected a Clock")
    .default(systemClock),
  ids: callable<IdGenerator>().optional(),
  random: callable<() => number>().default(() => Math.random),
  onEvent: callable<(event: BusEvent) => void>().optional(),
};

const windowCoversAge = (options: { dedupWindowMs: number; retry: { maxAgeMs: number } }) =>
  options.dedupWindowMs >= options.retry.maxAgeMs;

/** Adds what the schema cannot say of one member alone. */
export function withBusRules<S extends z.ZodType<{ dedupWindowMs: number; retry: { maxAgeMs: number } }>>(
  schema: S,
): S {
  return schema.refine(windowCoversAge, {
    message: "must not be less than `retry.maxAgeMs`, or a late retry could be taken twice",
    path: ["dedupWindowMs"],
  });
}

const schema = withBusRules(z.strictObject(busOptionsShape));

/** {@link BusOptions} with every default in place. */
export type BusSettings = z.output<typeof schema>;

/** Parses what every bus takes. @throws HebraError `INVALID_OPTIONS` */
export function parseBusOptions(where: string, options: BusOptions): BusSettings & { ids: IdGenerator } {
  const settings = parseOptions(where, schema, options);
  return { ...settings, ids: settings.ids ?? countingIds(createIdGenerator(settings.clock)()) };
}

/** A random id and a count: as unique as a random id each, at a fraction of the cost. */
function countingIds(prefix: string): IdGenerator {
  let count = 0;
  return () => `${prefix}.${(++count).toString(36)}`;
}

/** Looks up a tenant's limits by its encoded name. `share`: by how many partitions counts are divided. */
export function tenantLimits(
  settings: Pick<BusSettings, "tenants">,
  encode: (tenant: string) => string,
  share = 1,
): LimitsOf {
  if (settings.tenants === undefined) return undefined;
  const part = (count: number | undefined) => (count === undefined ? undefined : Math.ceil(count / share));
  const resolve = (options: z.output<typeof tenant> | undefined): TenantLimits => ({
    weight: options?.weight ?? 1,
    maxInFlight: part(options?.maxInFlight),
    perMinute: part(options?.perMinute),
    burst: part(options?.burst ?? 10)!,
  });
  const named = new Map(
    Object.entries(settings.tenants.byTenant ?? {}).map(([name, options]) => [encode(name), resolve(options)]),
  );
  const others = resolve(settings.tenants.default);
  return (name) => named.get(name) ?? others;
}

/** A tenant as it stands in a conversation's key. */
export function encodeTenant(tenant: string): string {
  const key = lockKey(tenant, "");
  return key.slice(0, -1);
}
