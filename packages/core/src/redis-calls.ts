import { redisFailover } from "./redis-failover.ts";

/** How {@link createRedisCalls} is made. */
export interface RedisCallsOptions {
  /** Drops the connections. The client opens others and sends again what has no answer. */
  readonly reconnect: () => void;
  /** Milliseconds without any answer after which the connections are dropped. @defaultValue 3,000 */
  readonly silenceMs?: number | undefined;
  /**
   * Asks the server for its `ROLE`. With it, a server that was demoted is left even by those who only read. Left out,
   * only a refused write shows a demotion.
   */
  readonly role?: (() => Promise<unknown>) | undefined;
}

/** Calls of a Redis server that outlive a silent peer and a demoted server. */
export interface RedisCalls {
  /**
   * Makes a call and passes on what it gives or throws. A call that the server refused because it was demoted or is
   * loading is repeated on a new connection for up to 2 s; it must therefore write nothing before its first refusal.
   */
  run<T>(call: () => Promise<T>): Promise<T>;
  /** Asks for the role now, and drops the connections when the server was demoted. Never throws. */
  checkRole(): Promise<void>;
}

/** Milliseconds for which a call is repeated on a server that refuses to serve: a switch-over takes less. */
const FAILOVER_MS = 2_000;
/** Milliseconds between two replacements because of answers: several calls may ask for the same one. */
const RECONNECT_EVERY_MS = 100;
/** Milliseconds between two questions for the role, while calls are made. */
const ROLE_EVERY_MS = 1_000;
/** Milliseconds for which an address that led to a master is expected to lead to one again. */
const REPLICA_MEANT_MS = 60_000;

/** The server said it, and not the client. */
const isReply = (error: unknown) => error instanceof Error && (/Reply/.test(error.name) || redisFailover(error));

/**
 * Watches the calls of one Redis client: drops its connections when they stay silent and when the server behind them is
 * no longer the one to write to.
 *
 * @example
 * ```ts
 * import { createRedisCalls, dropRedisConnections, type DroppableRedis } from "@hebra/core";
 *
 * export function watched(client: DroppableRedis & { call(command: string): Promise<unknown> }) {
 *   return createRedisCalls({ reconnect: () => dropRedisConnections(client), role: () => client.call("ROLE") });
 * }
 * ```
 */
export function createRedisCalls({ reconnect, silenceMs = 3_000, role }: RedisCallsOptions): RedisCalls {
  let heardAt = -Infinity;
  let reconnectedAt = -Infinity;
  let roleAskedAt = -Infinity;
  let wasMaster = false;
  let demotedAt: number | undefined;
  let roleRefused = false;

  const replace = (everyMs: number) => {
    const now = performance.now();
    if (now - reconnectedAt < everyMs) return;
    reconnectedAt = now;
    reconnect();
  };

  async function watched<T>(call: () => Promise<T>): Promise<T> {
    const sentAt = performance.now();
    // A new connection gets as long as the old one to answer.
    const watchdog = setInterval(() => {
      if (heardAt < sentAt) replace(silenceMs * 0.9);
    }, silenceMs);
    watchdog.unref();
    try {
      const reply = await call();
      heardAt = performance.now();
      return reply;
    } catch (error) {
      if (isReply(error)) heardAt = performance.now();
      throw error;
    } finally {
      clearInterval(watchdog);
    }
  }

  function leaveReplica(): void {
    demotedAt ??= performance.now();
    if (performance.now() - demotedAt < REPLICA_MEANT_MS) return replace(RECONNECT_EVERY_MS);
    [wasMaster, demotedAt] = [false, undefined];
  }

  async function checkRole(): Promise<void> {
    if (role === undefined || roleRefused) return;
    roleAskedAt = performance.now();
    try {
      const reply = await watched(role);
      const name = Array.isArray(reply) ? String(reply[0]) : "";
      if (name === "master") [wasMaster, demotedAt] = [true, undefined];
      if (name === "slave" && wasMaster) leaveReplica();
    } catch (error) {
      // Not every user has the right to ask, and not every service answers.
      roleRefused = isReply(error) && !redisFailover(error);
    }
  }

  return {
    checkRole,
    async run(call) {
      const giveUpAt = performance.now() + FAILOVER_MS;
      for (let waitMs = 25; ; waitMs = Math.min(2 * waitMs, 250)) {
        try {
          const reply = await watched(call);
          if (performance.now() - roleAskedAt >= ROLE_EVERY_MS) void checkRole();
          return reply;
        } catch (error) {
          if (!redisFailover(error)) throw error;
          replace(RECONNECT_EVERY_MS);
          if (performance.now() + waitMs > giveUpAt) throw error;
          await new Promise((resolve) => setTimeout(resolve, waitMs));
        }
      }
    },
  };
}
