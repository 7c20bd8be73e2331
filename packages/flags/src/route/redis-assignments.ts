import { errorMessage, HebraError, parseOptions } from "@hebra/core";
import * as z from "zod";
import {
  connectionShape,
  lazyRedis,
  oneConnection,
  type IoredisClient,
  type RedisConnection,
} from "../provider/redis/connection.ts";
import type { AssignmentStore } from "./assignment.ts";
import { assignmentKey, decodeAssignment, encodeAssignment } from "./encode-assignment.ts";

/** Options of {@link redisAssignments}. */
export interface RedisAssignmentsOptions extends RedisConnection {
  /** What every key begins with. @defaultValue "hebra" */
  readonly namespace?: string;
  /**
   * Milliseconds after its last turn at which a session's assignment goes. Much longer than sessions are idle: a
   * handover may still be due. @defaultValue 30 days
   */
  readonly retainMs?: number;
  /** Milliseconds after which an unanswered command fails. @defaultValue 2,000 */
  readonly commandTimeoutMs?: number;
}

const schema = z
  .strictObject({
    ...connectionShape,
    namespace: z
      .string()
      .regex(/^[^{}\s]{1,100}$/, "must be 1 to 100 characters without braces and white space")
      .default("hebra"),
    retainMs: z
      .int()
      .positive()
      .default(30 * 86_400_000),
    commandTimeoutMs: z.number().positive().default(2_000),
  })
  .refine(oneConnection.check, { message: oneConnection.message });

const WRITE = `
local found = redis.call('GET', KEYS[1])
local revision = 0
if found then revision = cjson.decode(found).revision end
if revision ~= tonumber(ARGV[2]) - 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1`;

/**
 * Assignments in Redis, for several processes; each write is compared and set in one step.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when ioredis is not installed and no client was passed.
 *
 * @example
 * ```ts
 * import { createRouter, type Flags } from "@hebra/flags";
 * import { redisAssignments } from "@hebra/flags/redis";
 *
 * export function routerOf(flags: Flags) {
 *   return createRouter({ flags, assignments: redisAssignments({ url: "redis://127.0.0.1:6379" }) });
 * }
 * ```
 */
export function redisAssignments(options: RedisAssignmentsOptions): AssignmentStore & { close(): Promise<void> } {
  const { namespace, retainMs, commandTimeoutMs, ...where } = parseOptions("redisAssignments", schema, options);
  const redis = lazyRedis(where as RedisConnection, commandTimeoutMs);
  const keyOf = (flag: string, session: string, tenant: string | undefined) =>
    `${namespace}:assignment:${encodeURIComponent(flag)}:${encodeURIComponent(assignmentKey(session, tenant))}`;
  const reach = async <T>(work: (client: IoredisClient) => Promise<T>): Promise<T> => {
    try {
      return await redis.ask(work);
    } catch (cause) {
      if (HebraError.isInstance(cause)) throw cause;
      throw new HebraError("UNREACHABLE", `Redis did not answer for an assignment: ${errorMessage(cause)}.`, { cause });
    }
  };
  return {
    read: (flag, session, tenant) =>
      reach(async (client) => {
        const text = await client.get(keyOf(flag, session, tenant));
        return text === null ? undefined : decodeAssignment(text);
      }),
    write: (assignment) =>
      reach(async (client) => {
        const key = keyOf(assignment.flag, assignment.session, assignment.tenant);
        return (
          (await client.eval(
            WRITE,
            1,
            key,
            encodeAssignment(assignment),
            String(assignment.revision),
            String(retainMs),
          )) === 1
        );
      }),
    close: () => redis.close(),
  };
}
