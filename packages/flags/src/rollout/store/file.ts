import { errorMessage, HebraError } from "@hebra/core";
import { appendFile, mkdir, open, readdir, readFile, rename, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EvidenceRecord } from "../evidence.ts";
import type { RolloutState } from "../state.ts";
import { checkCommit } from "./check-commit.ts";
import { takeLockFile, type LockFile } from "./lock-file.ts";
import { counterFile, type CounterFile } from "./counter-file.ts";
import type { RolloutStore } from "./store.ts";

/**
 * A rollout store in a directory of one host: `<flag>.state.json`, `<flag>.evidence.jsonl` and `<flag>.counters.jsonl`.
 * Several processes may share it; each
 * write holds a lock file. The state's rename is the commit: evidence that a crash left behind it is cut off by the
 * next write.
 *
 * @throws HebraError `STORE_FAILED` from every method when the directory cannot be read or written.
 *
 * @example
 * ```ts
 * import { createRolloutService, fileRolloutStore } from "@hebra/flags/rollout";
 *
 * export const service = createRolloutService({ store: fileRolloutStore("./rollouts") });
 * ```
 */
export function fileRolloutStore(directory: string): RolloutStore {
  const path = (flag: string, what: string) => join(directory, `${encodeURIComponent(flag)}.${what}`);
  let closed = false;
  let last: Promise<unknown> = Promise.resolve();

  /** One at a time in this process; a lock file keeps the others out. */
  function locked<T>(flag: string, work: (lock: LockFile) => Promise<T>): Promise<T> {
    const run = last.then(async () => {
      await mkdir(directory, { recursive: true });
      const lock = await takeLockFile(path(flag, "lock"));
      try {
        return await work(lock);
      } finally {
        await lock.release();
      }
    });
    last = run.catch(() => undefined);
    return wrap(run);
  }

  async function wrap<T>(work: Promise<T>): Promise<T> {
    try {
      if (closed) throw new HebraError("CLOSED", "The rollout store is closed.");
      return await work;
    } catch (error) {
      if (HebraError.isInstance(error)) throw error;
      throw new HebraError("STORE_FAILED", `The directory of the rollout store failed: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  }

  async function readJson<T>(file: string): Promise<T | undefined> {
    const text = await readText(file);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  async function replace(file: string, value: unknown): Promise<void> {
    const next = `${file}.${process.pid}.next`;
    const handle = await open(next, "w");
    await handle.writeFile(JSON.stringify(value));
    await handle.sync();
    await handle.close();
    await rename(next, file);
  }

  const readState = (flag: string) => readJson<RolloutState & { evidenceBytes: number }>(path(flag, "state.json"));
  const files = new Map<string, CounterFile>();
  const countersOf = (flag: string): CounterFile => {
    const known = files.get(flag) ?? counterFile(path(flag, "counters.jsonl"));
    files.set(flag, known);
    return known;
  };

  return {
    list: () =>
      wrap(
        readdir(directory).then(
          (names) =>
            names
              .filter((name) => name.endsWith(".state.json"))
              .map((name) => decodeURIComponent(name.slice(0, -".state.json".length)))
              .sort(),
          (error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? [] : Promise.reject(error)),
        ),
      ),
    read: (flag) =>
      wrap(
        readState(flag).then((stored) => {
          if (stored === undefined) return undefined;
          const { evidenceBytes: _, ...state } = stored;
          return state;
        }),
      ),
    commit: (commit) =>
      locked(commit.state.flag, async (lock) => {
        const { flag } = commit.state;
        const stored = await readState(flag);
        checkCommit(commit, stored);
        const file = path(flag, "evidence.jsonl");
        await writeFile(file, "", { flag: "a" });
        await truncate(file, stored?.evidenceBytes ?? 0);
        const text = commit.evidence.map((record) => `${JSON.stringify(record)}\n`).join("");
        await appendFile(file, text, { flush: true });
        // A process that was asleep for long may have been taken for dead: what it knows is old.
        await lock.assertHeld();
        await replace(path(flag, "state.json"), {
          ...commit.state,
          evidenceBytes: (stored?.evidenceBytes ?? 0) + Buffer.byteLength(text),
        });
      }),
    evidence: (flag) =>
      wrap(
        (async () => {
          const stored = await readState(flag);
          const text = (await readText(path(flag, "evidence.jsonl"))) ?? "";
          const whole = Buffer.from(text)
            .subarray(0, stored?.evidenceBytes ?? 0)
            .toString();
          return whole
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line) as EvidenceRecord);
        })(),
      ),
    async report(rows) {
      for (const flag of new Set(rows.map((row) => row.flag))) {
        const own = rows.filter((row) => row.flag === flag);
        await locked(flag, () => countersOf(flag).append(own));
      }
    },
    counters: (flag, from) =>
      wrap(
        countersOf(flag)
          .read()
          .then((rows) => rows.filter((row) => row.start >= from)),
      ),
    prune: (flag, before) => locked(flag, () => countersOf(flag).prune((row) => row.end >= before)),
    async close() {
      await last;
      closed = true;
    },
  };
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
