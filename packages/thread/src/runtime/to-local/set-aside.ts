import { existsSync, renameSync } from "node:fs";
import { HebraError, type Clock } from "@hebra/core";
import type { ThreadStore } from "../../store/store.ts";
import { phaseControl } from "../phase.ts";

/** Whether a local store was moved to shared backends, so that what it holds is out of date. */
export async function wasMoved(path: string, open: (path: string) => Promise<ThreadStore>, clock: Clock) {
  const store = await open(path);
  try {
    const { phase, moves } = await phaseControl(store, clock).read();
    return phase === "stopped" && moves.length > 0;
  } finally {
    await store.close();
  }
}

/** Renames a local store that was moved, with its log, so that the copy can take its place. @returns the new name */
export function setAside(path: string, clock: Clock): string {
  const aside = `${path}.moved-${new Date(clock.now()).toISOString().replaceAll(":", "-")}`;
  for (const suffix of ["-wal", "-shm", ""]) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  return aside;
}

/** @throws HebraError `INVALID_OPTIONS` when the file to be exists, and holds something else than what was moved */
export async function assertFree(
  path: string,
  open: (path: string) => Promise<ThreadStore>,
  clock: Clock,
): Promise<void> {
  if (!existsSync(path) || (await wasMoved(path, open, clock).catch(() => false))) return;
  throw new HebraError("INVALID_OPTIONS", `There is a file ${path} already. Move it away, or name another path.`);
}
