import { HebraError } from "@hebra/core";
import type { RedisCommands } from "./commands.ts";

/** A server-side script: its Lua and the SHA-1 by which the server knows it. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

/** Calls the server with a limit of time, and tells whether it answered. */
export interface Runner {
  /**
   * Runs a script by its SHA-1, and by its source on a server that does not know it. By then, what was sent behind it
   * has run:
   * `late` makes the arguments for that case.
   */
  script(script: Script, key: string, args: readonly string[], late?: () => readonly string[]): Promise<unknown>;
  /** Bounds anything else. */
  bound<T>(call: () => Promise<T>, limitMs?: number): Promise<T>;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** What ioredis says when a connection was lost too often. Its own words tell of a limit that nobody here has set. */
const lostConnection = /^Reached the max retries per request limit/;

/** The client's error as one of ours. Its own object stays behind, as it carries the command's arguments. */
export function wrapRedisError(error: unknown): HebraError {
  if (HebraError.isInstance(error)) return error;
  const said = messageOf(error);
  const message = lostConnection.test(said) ? "the connection was lost." : said;
  return new HebraError("UNREACHABLE", `Redis could not be reached, or refused to serve: ${message}`, {
    cause: new Error(message),
  });
}

/** Calls through `commands`; `heard` is told of every answer (no argument) and every failure. */
export function createRunner(commands: RedisCommands, timeoutMs: number, heard: (error?: HebraError) => void): Runner {
  const bound = <T>(call: () => Promise<T>, limitMs = timeoutMs): Promise<T> =>
    new Promise((resolve, reject) => {
      const fail = (error: HebraError) => {
        clearTimeout(timer);
        heard(error);
        reject(error);
      };
      // Real time, whatever the clock: it bounds a socket.
      const timer = setTimeout(
        () =>
          fail(new HebraError("UNREACHABLE", `Redis did not answer within ${limitMs} ms.`, { details: { limitMs } })),
        limitMs,
      );
      call().then(
        (reply) => {
          clearTimeout(timer);
          heard();
          resolve(reply);
        },
        (error: unknown) => fail(wrapRedisError(error)),
      );
    });
  return {
    bound,
    script: (script, key, args, late = () => args) =>
      bound(async () => {
        try {
          return await commands.evalsha(script.sha1, key, args);
        } catch (error) {
          if (!/^NOSCRIPT\b/.test(messageOf(error))) throw error;
          return commands.eval(script.source, key, late());
        }
      }),
  };
}
