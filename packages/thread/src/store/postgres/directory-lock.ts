import { linkSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { HebraError } from "@hebra/core";

/** How old the mark of a take-over is when its maker must have died in the middle, in milliseconds. */
const TAKING_MS = 10_000;

/**
 * Takes a directory for this process. The lock is a file beside it with the process' id, made whole in one step; one
 * left
 * behind by a process that is gone is taken over, by one taker at a time.
 *
 * @returns gives it back
 * @throws HebraError `STORE_LOCKED`
 */
export function lockDirectory(directory: string): () => void {
  const path = `${resolve(directory)}.lock`;
  mkdirSync(dirname(path), { recursive: true });
  if (!claim(path)) {
    refuseLiving(path);
    takeOver(path);
  }
  return () => rmSync(path, { force: true });
}

/** Makes the lock file, unless there is one. A link appears with its content or not at all. */
function claim(path: string): boolean {
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(draft, String(process.pid), { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function takeOver(path: string): void {
  const taking = `${path}.taking`;
  try {
    mkdirSync(taking);
  } catch (error) {
    if (Date.now() - (statSync(taking, { throwIfNoEntry: false })?.mtimeMs ?? 0) > TAKING_MS)
      rmSync(taking, { recursive: true, force: true });
    throw new HebraError("STORE_LOCKED", "Another process is taking this directory over right now. Try again.", {
      cause: error,
      retryable: true,
    });
  }
  try {
    refuseLiving(path);
    rmSync(path, { force: true });
    if (!claim(path)) refuseLiving(path);
  } finally {
    rmdirSync(taking);
  }
}

/** @throws HebraError `STORE_LOCKED` when the process that the lock file names is alive */
function refuseLiving(path: string): void {
  const pid = Number(read(path));
  if (!Number.isSafeInteger(pid) || pid <= 0 || !isAlive(pid)) return;
  throw new HebraError(
    "STORE_LOCKED",
    `The process ${pid} has this directory open, and it allows one. Close it there, or use a PostgreSQL server.`,
    { details: { pid } },
  );
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal, but there.
    return (error as { code?: string }).code === "EPERM";
  }
}
