import { HebraError } from "@hebra/core";
import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, stat, writeFile } from "node:fs/promises";

/** How long a lock file may stand before its process is taken for dead, ms. */
const STALE_MS = 10_000;
const ATTEMPTS = 400;

/** A lock that other processes of this host see. */
export interface LockFile {
  /** @throws HebraError `STORE_FAILED` when somebody took this process for dead meanwhile */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

const ownerOf = (file: string): Promise<string | undefined> => readFile(file, "utf8").catch(() => undefined);

/**
 * Waits for a lock file and takes it. One that its process left behind is taken over after ten seconds.
 *
 * @throws HebraError `STORE_FAILED` when it stays taken
 */
export async function takeLockFile(file: string): Promise<LockFile> {
  const me = randomUUID();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      await writeFile(file, me, { flag: "wx" });
      return {
        async assertHeld() {
          if ((await ownerOf(file)) !== me)
            throw new HebraError(
              "STORE_FAILED",
              "The lock of the rollout store's directory was taken over; this process was asleep for too long.",
              { retryable: true },
            );
        },
        async release() {
          if ((await ownerOf(file)) === me) await rm(file, { force: true });
        },
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      await removeStale(file, me);
      await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 10));
    }
  }
  throw new HebraError("STORE_FAILED", "The rollout store's directory stayed locked by another process.", {
    retryable: true,
  });
}

/**
 * Two that see the same stale lock must not remove each other's new one: it is moved aside first, and given back when
 * it is not the one that was seen.
 */
async function removeStale(file: string, me: string): Promise<void> {
  const seen = await ownerOf(file);
  const age = await stat(file).then(
    (found) => Date.now() - found.mtimeMs,
    () => 0,
  );
  if (age <= STALE_MS) return;
  const aside = `${file}.${me}`;
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  if ((await ownerOf(aside)) !== seen) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}
