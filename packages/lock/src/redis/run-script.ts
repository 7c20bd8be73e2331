import { HebraError, redisFailover } from "@hebra/core";
import type { Timed, TimerSlots } from "../timer-slots.ts";
import type { RedisCommands } from "./commands.ts";

/** A server-side script: its Lua and the SHA-1 by which the server knows it. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
  /** For servers before Redis 7, which know no flags: the same script without them. */
  readonly older?: { readonly source: string; readonly sha1: string };
}

/** Runs a script. Throws HebraError `UNREACHABLE`, or `SERVER_REFUSED` when the server answers with an error. */
export type RunScript = (script: Script, keys: readonly string[], args: readonly string[]) => Promise<unknown>;

/** Answers of a server that cannot serve at the moment, besides those of a failover: moving slots, or too busy. */
const PASSING = /^(TRYAGAIN|NOREPLICAS|BUSY)\b/;

/** What a server before Redis 7 says of a script with flags. */
const FLAGS_UNKNOWN = /unexpected symbol near '#'/;

/** Milliseconds of silence after which the connection is replaced, where requests may take longer. */
const SILENCE_MS = 3_000;

/** Milliseconds for which a script is sent again to a server that refuses to serve: a switch-over takes less. */
const FAILOVER_MS = 2_000;

/**
 * Runs scripts by their SHA-1, sends the source to a server that does not know it, and gives up after `timeoutMs`: a
 * connection whose other end vanished may never answer. Such a connection is replaced, and so is one that leads to a
 * demoted or loading server. What was given up may still be executed.
 */
export function createScriptRunner(commands: RedisCommands, timers: TimerSlots, timeoutMs: number): RunScript {
  let heardAt = -Infinity;
  let replacedAt = -Infinity;
  // A new connection gets as long as the old one to answer: it may need a while to open, and many scripts wait.
  const replaceIfSilent = (sentAt: number) => {
    const now = performance.now();
    if (heardAt >= sentAt || now - replacedAt < 0.9 * Math.min(timeoutMs, SILENCE_MS)) return;
    replacedAt = now;
    commands.reconnect?.();
  };
  /** Whether the server knows flags of scripts. */
  let flags = true;
  const known = (script: Script) => (flags ? script : (script.older ?? script));

  const sendSource = async (script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> => {
    try {
      return await commands.eval(known(script).source, keys, args);
    } catch (error) {
      if (!flags || script.older === undefined || !FLAGS_UNKNOWN.test(messageOf(error))) throw error;
      flags = false;
      return commands.eval(script.older.source, keys, args);
    }
  };

  const send = async (script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> => {
    try {
      return await commands.evalsha(known(script).sha1, keys, args);
    } catch (error) {
      if (!/^NOSCRIPT\b/.test(messageOf(error))) throw error;
      return sendSource(script, keys, args);
    }
  };

  /** The server was demoted, and another one may be at its address: the script is sent there. */
  const sendElsewhere = async (
    failure: unknown,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> => {
    const giveUpAt = performance.now() + Math.min(FAILOVER_MS, timeoutMs);
    let error = failure;
    for (let waitMs = 25; redisFailover(error); waitMs = Math.min(2 * waitMs, 250)) {
      commands.reconnect?.();
      if (performance.now() + waitMs > giveUpAt) break;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      try {
        return await send(script, keys, args);
      } catch (next) {
        error = next;
      }
    }
    throw error;
  };

  return (script, keys, args) =>
    new Promise((resolve, reject) => {
      const sentAt = performance.now();
      const limit: Timed = {
        slot: undefined,
        onTime() {
          replaceIfSilent(sentAt);
          reject(
            new HebraError("UNREACHABLE", `Redis did not answer within ${timeoutMs} ms.`, { details: { timeoutMs } }),
          );
        },
      };
      const watchdog: Timed = { slot: undefined, onTime: () => replaceIfSilent(sentAt) };
      const stopTimers = () => {
        timers.cancel(limit);
        timers.cancel(watchdog);
      };
      const done = (reply: unknown) => {
        heardAt = performance.now();
        stopTimers();
        resolve(reply);
      };
      const fail = (error: unknown) => {
        stopTimers();
        reject(wrapRedisError(error));
      };
      timers.set(timeoutMs, limit);
      if (timeoutMs > SILENCE_MS) timers.set(SILENCE_MS, watchdog);
      commands.evalsha(known(script).sha1, keys, args).then(done, (error: unknown) => {
        if (redisFailover(error)) return void sendElsewhere(error, script, keys, args).then(done, fail);
        if (!/^NOSCRIPT\b/.test(messageOf(error))) return fail(error);
        sendSource(script, keys, args).then(done, fail);
      });
    });
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The client's error as one of ours. Its own object stays behind, as it carries the command's arguments. */
export function wrapRedisError(error: unknown): HebraError {
  if (HebraError.isInstance(error)) return error;
  const message = messageOf(error);
  const cause = new Error(message);
  if (error instanceof Error && error.name === "ReplyError" && !PASSING.test(message) && !redisFailover(error)) {
    return new HebraError("SERVER_REFUSED", `Redis refused a command: ${message}`, { cause });
  }
  return new HebraError("UNREACHABLE", `Redis could not be reached: ${message}`, { cause });
}
