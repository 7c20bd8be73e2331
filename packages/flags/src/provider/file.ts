import { watch as watchDirectory, type FSWatcher } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { digest, errorCode, HebraError, parseOptions, sleep, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import { readFlagText } from "../evaluate/document.ts";
import type { FlagProvider } from "./provider.ts";
import { createRefresher, type Reading } from "./refresher.ts";

/** Options of {@link fileProvider}. */
export interface FileProviderOptions {
  /** The flag document: flagd's `flags.json`, with `rollouts`. */
  readonly path: string;
  /** Milliseconds between two looks where the file system tells nothing. @defaultValue 5,000 */
  readonly pollMs?: number;
  readonly clock?: Clock;
}

/** A writer that does not rename may be caught half-way: a bad document is read a second time before it is refused. */
const SECOND_LOOK_MS = 50;

const schema = z.strictObject({
  path: z.string().min(1),
  pollMs: z.number().positive().default(5_000),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function").optional(),
});

/**
 * Flags from a file, watched. A file that is missing or corrupt leaves the last good document in force. Write it by
 * renaming
 * a finished file over it.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createFlags, envProvider, fileProvider } from "@hebra/flags";
 *
 * export const flags = createFlags({ providers: [envProvider(), fileProvider({ path: "flags.json" })], environment:
 * "production" });
 * ```
 */
export function fileProvider(options: FileProviderOptions): FlagProvider {
  const parsed = parseOptions("fileProvider", schema, options);
  const clock = parsed.clock ?? systemClock;
  const path = resolve(parsed.path);
  const refresher = createRefresher({
    name: basename(path),
    clock,
    pollMs: parsed.pollMs,
    async read(_, signal) {
      try {
        return await readDocument(path);
      } catch (error) {
        if (errorCode(error) === "UNREACHABLE") throw error;
        await sleep(clock, SECOND_LOOK_MS, signal);
        return readDocument(path);
      }
    },
  });
  let watchers = 0;
  let watcher: FSWatcher | undefined;

  /** The directory is watched, not the file: a rename over the file would leave the watcher on the old one. */
  function openWatcher(): void {
    if (watcher !== undefined) return;
    try {
      watcher = watchDirectory(dirname(path), { persistent: false }, (_, name) => {
        if (name === null || name === basename(path)) refresher.refresh();
      });
      watcher.on("error", closeWatcher);
    } catch {
      // No directory, or no watching on this file system: polling finds the file.
    }
  }

  function closeWatcher(): void {
    watcher?.close();
    watcher = undefined;
  }

  return {
    name: "file",
    load: () => refresher.load(),
    watch(listener) {
      watchers++;
      openWatcher();
      const stop = refresher.watch(listener);
      let stopped = false;
      return () => {
        if (stopped) return;
        stopped = true;
        stop();
        if (--watchers === 0) closeWatcher();
      };
    },
    close() {
      refresher.close();
      closeWatcher();
      return Promise.resolve();
    },
  };
}

async function readDocument(path: string): Promise<Exclude<Reading, "unchanged">> {
  const text = await readText(path);
  return { revision: digest(text), snapshot: readFlagText(text) };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "error";
    throw new HebraError(
      "UNREACHABLE",
      `The flag file ${basename(path)} cannot be read (${code}); the last known good flags stay in force.`,
      { cause, details: { file: basename(path), code } },
    );
  }
}
