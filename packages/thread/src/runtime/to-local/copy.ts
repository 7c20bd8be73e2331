import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { HebraError } from "@hebra/core";
import { exportJsonLines, importJsonLines, type TransferReport } from "../../store/transfer.ts";
import type { ThreadStore } from "../../store/store.ts";
import { processesKey } from "../local-processes.ts";
import { OWN_TENANT } from "../own-thread.ts";
import { phaseKey } from "../phase.ts";
import { sampleKey } from "../queue-watch.ts";

/** What is in a store. */
export type Tally = Pick<TransferReport, "contexts" | "counts" | "digest">;

const ofRuntime: ReadonlySet<string> = new Set([phaseKey, processesKey, sampleKey]);

/** A store without what its runtime notes of its own processes and queues: that is not taken along. */
export function withoutPhase(store: ThreadStore): ThreadStore {
  return {
    ...store,
    system: () => {
      const system = store.system();
      return {
        ...system,
        async *export(options) {
          for await (const one of system.export(options))
            if (one.tenant !== OWN_TENANT || !ofRuntime.has(one.bundle.thread.key)) yield one;
        },
      };
    },
  };
}

/** Counts and digests everything in a store. */
export async function tallyOf(store: ThreadStore, onContext: (contexts: number) => void = () => {}): Promise<Tally> {
  let last = "";
  let lines = -1;
  for await (const line of exportJsonLines(store)) {
    onContext(Math.max(0, lines++));
    last = line;
  }
  return (JSON.parse(last) as { end: Tally }).end;
}

/** Writes everything into a file, which is there only once it is complete. */
export async function exportTo(store: ThreadStore, file: string, onContext: (contexts: number) => void): Promise<void> {
  const temporary = `${file}.new`;
  let lines = -1;
  await pipeline(
    exportJsonLines(store),
    async function* (all: AsyncIterable<string>) {
      for await (const line of all) {
        onContext(Math.max(0, lines++));
        yield `${line}\n`;
      }
    },
    createWriteStream(temporary, { mode: 0o600, flush: true }),
  );
  renameSync(temporary, file);
}

/**
 * Reads a file of {@link exportTo} into a SQLite file beside the one to be, and puts it in its place.
 *
 * @param placing - called when it is complete, just before it is
 */
export async function importInto(
  path: string,
  file: string,
  placing: () => void,
  onContext: (contexts: number) => void,
): Promise<void> {
  const { sqliteStore } = await import("../../store/sqlite.ts");
  const building = `${path}.moving`;
  mkdirSync(dirname(path), { recursive: true });
  for (const suffix of ["", "-wal", "-shm"]) rmSync(building + suffix, { force: true });
  // What a crash cuts off is begun anew: no write has to wait for the disk.
  const store = await sqliteStore({ path: building, synchronous: "NORMAL" });
  try {
    let contexts = 0;
    await importJsonLines(store, createInterface({ input: createReadStream(file) }), {
      onContext: () => onContext(++contexts),
    });
  } finally {
    await store.close();
  }
  if (existsSync(path))
    throw new HebraError(
      "IMPORT_CONFLICT",
      `The file ${path} has appeared meanwhile. Move it away, and run this again.`,
    );
  placing();
  // The log first: without it the file would lack its last writes.
  for (const suffix of ["-wal", "-shm"])
    if (existsSync(building + suffix)) renameSync(building + suffix, path + suffix);
  renameSync(building, path);
}
