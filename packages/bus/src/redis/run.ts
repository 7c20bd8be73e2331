import { HebraError, redisFailover } from "@hebra/core";
import type { RedisCommands } from "./commands.ts";

/** A server-side script: its Lua and the SHA-1 by which the server knows it. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
  /** For servers before Redis 7, which know no flags: the same script without them. */
  readonly older?: { readonly source: string; readonly sha1: string };
}

/** Calls the server with a limit of time, and reports whether it answered. */
export interface Runner {
  /**
   * Runs a script by its SHA-1, and by its source on a server that does not know it. By then, what was sent behind it
   * has run: `late` makes the arguments for that case.
   */
  script(script: Script, key: string, args: readonly string[], late?: () => readonly string[]): Promise<unknown>;
  /** Bounds any other call on the command connection. */
  bound<T>(call: () => Promise<T>): Promise<T>;
}

/** What a runner needs. */
export interface RunnerOptions {
  readonly commands: RedisCommands;
  /** Milliseconds that a request may take. */
  readonly timeoutMs: number;
  /** Called with every answer (no argument) and every failure. */
  readonly heard: (error?: HebraError) => void;
  readonly closing: AbortSignal;
}

/** Milliseconds of silence after which the connection is replaced, where requests may take longer. */
const SILENCE_MS = 3_000;

/** Milliseconds for which a command is sent again to a server that refuses to serve: a switch-over takes less. */
const FAILOVER_MS = 2_000;

/** What a server before Redis 7 says of a script with flags. */
const FLAGS_UNKNOWN = /unexpected symbol near '#'/;

/** The server has no room for more. It still does what frees and keeps. */
const FULL = /^(OOM|ERR Error running script .*: -?OOM)\b/;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** What ioredis says when a connection was lost too often. Its own words tell of a limit that nobody here has set. */
const lostConnection = /^Reached the max retries per request limit/;

/** The client's error as one of ours. Its own object stays behind, as it carries the command's arguments. */
export function wrapRedisError(error: unknown): HebraError {
  if (HebraError.isInstance(error)) return error;
  const said = messageOf(error);
  if (FULL.test(said)) {
    const message = `Redis takes no more writes; give it memory, or wait until work that is under way frees some: ${said}`;
    return new HebraError("SERVER_REFUSED", message, { cause: new Error(said) });
  }
  const message = lostConnection.test(said) ? "the connection was lost." : said;
  return new HebraError("UNREACHABLE", `Redis could not be reached, or refused to serve: ${message}`, {
    cause: new Error(message),
  });
}

/** Calls through the command connection, and replaces it when it is silent or leads to a demoted server. */
export function createRunner({ commands, timeoutMs, heard, closing }: RunnerOptions): Runner {
  let heardAt = -Infinity;
  /** Whether the server knows flags of scripts. */
  let flags = true;

  const silenceMs = Math.min(timeoutMs, SILENCE_MS);
  let replacedAt = -Infinity;
  // A new connection gets as long as the old one to answer: it may need a while to open, and many calls wait.
  const replaceIfSilent = (sentAt: number) => {
    const now = performance.now();
    if (heardAt >= sentAt || now - replacedAt < 0.9 * silenceMs || closing.aborted) return;
    replacedAt = now;
    commands.reconnect?.();
  };

  /** The server may have been demoted, with another one at its address: the command is sent there. */
  const persist = async <T>(call: () => Promise<T>): Promise<T> => {
    const giveUpAt = performance.now() + Math.min(FAILOVER_MS, timeoutMs);
    for (let waitMs = 25; ; waitMs = Math.min(2 * waitMs, 250)) {
      try {
        return await call();
      } catch (error) {
        if (!redisFailover(error) || closing.aborted) throw error;
        heard(wrapRedisError(error));
        commands.reconnect?.();
        if (performance.now() + waitMs > giveUpAt) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  };

  const bound = async <T>(call: () => Promise<T>): Promise<T> => {
    const sentAt = performance.now();
    const watchdog = setTimeout(() => replaceIfSilent(sentAt), silenceMs);
    try {
      const reply = await within(timeoutMs, persist(call));
      heardAt = performance.now();
      heard();
      return reply;
    } catch (error) {
      const failure = wrapRedisError(error);
      // A refusal is an answer.
      if (failure.code === "SERVER_REFUSED") heardAt = performance.now();
      heard(failure.code === "SERVER_REFUSED" ? undefined : failure);
      throw failure;
    } finally {
      clearTimeout(watchdog);
    }
  };

  return {
    bound,
    script: (script, key, args, late = () => args) =>
      bound(async () => {
        const known = flags ? script : (script.older ?? script);
        try {
          return await commands.evalsha(known.sha1, key, args);
        } catch (error) {
          if (!/^NOSCRIPT\b/.test(messageOf(error))) throw error;
        }
        try {
          return await commands.eval(known.source, key, late());
        } catch (error) {
          if (!flags || script.older === undefined || !FLAGS_UNKNOWN.test(messageOf(error))) throw error;
          flags = false;
          return commands.eval(script.older.source, key, late());
        }
      }),
  };
}

/** Bounds a promise by real time, whatever the clock: it bounds a socket. @throws HebraError `UNREACHABLE` */
export function within<T>(limitMs: number, pending: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(new HebraError("UNREACHABLE", `Redis did not answer within ${limitMs} ms.`, { details: { limitMs } })),
      limitMs,
    );
    pending.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
