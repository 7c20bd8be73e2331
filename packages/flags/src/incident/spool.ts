import { errorMessage, HebraError } from "@hebra/core";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Incident } from "./incident.ts";

/** Keeps incidents on the local disk while their sink is away. */
export interface IncidentSpool {
  /**
   * Durable when it resolves. Beyond the limit the incident is dropped and counted. @throws HebraError `STORE_FAILED`
   */
  append(incident: Incident): Promise<void>;
  /** Hands everything over in order, in batches; what the sink does not take stays. @returns how many were taken */
  drain(write: (incidents: readonly Incident[]) => Promise<void>): Promise<number>;
  /** How many wait. */
  size(): Promise<number>;
  /** How many did not fit since the process began. */
  dropped(): number;
}

const BATCH = 100;

/**
 * A spool in one file, a line an incident, flushed to the disk line by line. A line that a crash tore is left out when
 * the spool is read.
 *
 * @param path - of the file; each process needs its own.
 * @param options - `maxBytes` (default 10 MiB).
 */
export function fileIncidentSpool(
  path: string,
  { maxBytes = 10 * 1024 * 1024 }: { readonly maxBytes?: number } = {},
): IncidentSpool {
  let last: Promise<unknown> = Promise.resolve();
  let dropped = 0;

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = last.then(work).catch((error: unknown) => {
      if (HebraError.isInstance(error)) throw error;
      throw new HebraError("STORE_FAILED", `The incident spool failed: ${errorMessage(error)}`, { cause: error });
    });
    last = run.catch(() => undefined);
    return run;
  }

  async function read(): Promise<Incident[]> {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? "" : Promise.reject(error),
    );
    return text.split("\n").flatMap((line) => {
      try {
        return line === "" ? [] : [JSON.parse(line) as Incident];
      } catch {
        return [];
      }
    });
  }

  async function keep(incidents: readonly Incident[]): Promise<void> {
    if (incidents.length === 0) return rm(path, { force: true });
    const handle = await open(`${path}.next`, "w");
    await handle.writeFile(incidents.map((incident) => `${JSON.stringify(incident)}\n`).join(""));
    await handle.sync();
    await handle.close();
    await rename(`${path}.next`, path);
  }

  return {
    append: (incident) =>
      inTurn(async () => {
        await mkdir(dirname(path), { recursive: true });
        const line = `\n${JSON.stringify(incident)}\n`;
        const size = await stat(path).then(
          (found) => found.size,
          () => 0,
        );
        if (size + line.length > maxBytes) return void dropped++;
        const handle = await open(path, "a");
        try {
          await handle.writeFile(line);
          await handle.sync();
        } finally {
          await handle.close();
        }
      }),
    drain: (write) =>
      inTurn(async () => {
        const waiting = await read();
        let taken = 0;
        try {
          while (taken < waiting.length) {
            const batch = waiting.slice(taken, taken + BATCH);
            await write(batch);
            taken += batch.length;
          }
        } finally {
          if (taken > 0) await keep(waiting.slice(taken));
        }
        return taken;
      }),
    size: () => inTurn(async () => (await read()).length),
    dropped: () => dropped,
  };
}
