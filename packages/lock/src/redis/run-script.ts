import { HebraError } from "@hebra/core";
import type { Timed, TimerSlots } from "../timer-slots.ts";
import type { RedisCommands } from "./commands.ts";

/** A server-side script: its Lua and the SHA-1 by which the server knows it. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

/** Runs a script. Throws HebraError `UNREACHABLE`, or `SERVER_REFUSED` when the server answers with an error. */
export type RunScript = (script: Script, keys: readonly string[], args: readonly string[]) => Promise<unknown>;

/** Answers of a server that cannot serve at the moment: starting, failing over, or moving slots. */
const PASSING = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|BUSY|UNBLOCKED)\b/;

/**
 * Runs scripts by their SHA-1, sends the source to a server that does not know it, and gives up after `timeoutMs`: a
 * connection whose other end vanished may never answer. What was given up may still be executed.
 */
export function createScriptRunner(commands: RedisCommands, timers: TimerSlots, timeoutMs: number): RunScript {
  return (script, keys, args) =>
    new Promise((resolve, reject) => {
      const limit: Timed = {
        slot: undefined,
        onTime: () =>
          reject(
            new HebraError("UNREACHABLE", `Redis did not answer within ${timeoutMs} ms.`, { details: { timeoutMs } }),
          ),
      };
      const done = (reply: unknown) => {
        timers.cancel(limit);
        resolve(reply);
      };
      const fail = (error: unknown) => {
        timers.cancel(limit);
        reject(wrapRedisError(error));
      };
      timers.set(timeoutMs, limit);
      commands.evalsha(script.sha1, keys, args).then(done, (error: unknown) => {
        if (!/^NOSCRIPT\b/.test(messageOf(error))) return fail(error);
        commands.eval(script.source, keys, args).then(done, fail);
      });
    });
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The client's error as one of ours. Its own object stays behind, as it carries the command's arguments. */
export function wrapRedisError(error: unknown): HebraError {
  if (HebraError.isInstance(error)) return error;
  const message = messageOf(error);
  const cause = new Error(message);
  if (error instanceof Error && error.name === "ReplyError" && !PASSING.test(message)) {
    return new HebraError("SERVER_REFUSED", `Redis refused a command: ${message}`, { cause });
  }
  return new HebraError("UNREACHABLE", `Redis could not be reached: ${message}`, { cause });
}
