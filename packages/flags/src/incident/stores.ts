import { errorMessage, HebraError } from "@hebra/core";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { takeLockFile } from "../rollout/store/lock-file.ts";
import type { Incident, IncidentQuery, IncidentStore } from "./incident.ts";

/** Whether an incident answers a query; without regard to `limit`. */
export function answers(query: IncidentQuery, incident: Incident): boolean {
  return (
    (query.kind === undefined || incident.kind === query.kind) &&
    (query.open === undefined || (incident.closed === undefined) === query.open) &&
    (query.flag === undefined || incident.flag === query.flag) &&
    (query.org === undefined || incident.org === query.org) &&
    (query.fingerprint === undefined || incident.signature.fingerprint === query.fingerprint) &&
    (query.code === undefined || incident.signature.code === query.code) &&
    (query.matched === undefined || incident.decision.matched === query.matched) &&
    (query.since === undefined || incident.at >= query.since)
  );
}

function select(incidents: readonly Incident[], query: IncidentQuery): Incident[] {
  return incidents
    .filter((incident) => answers(query, incident))
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
    .slice(0, query.limit ?? 100);
}

/** Incidents in memory. @param most - the oldest beyond it are forgotten. @defaultValue 10,000 */
export function memoryIncidents(most = 10_000): IncidentStore {
  const incidents = new Map<string, Incident>();
  return {
    async write(fresh) {
      for (const incident of fresh) if (!incidents.has(incident.id)) incidents.set(incident.id, incident);
      for (const id of incidents.keys()) {
        if (incidents.size <= most) break;
        incidents.delete(id);
      }
    },
    list: async (query = {}) => select([...incidents.values()], query),
    read: async (id) => incidents.get(id),
    async close(id, closed) {
      const found = incidents.get(id);
      if (found !== undefined && found.closed === undefined) incidents.set(id, { ...found, closed });
      return incidents.get(id);
    },
  };
}

/** A line of the file: an incident, or the closing of one. */
type Line = Incident | { readonly id: string; readonly closed: Incident["closed"] };

/**
 * Incidents in a file, a JSON line each. The processes of one host may share it: each write holds a lock file, and a
 * line that a crash tore is left out.
 *
 * @throws HebraError `STORE_FAILED` from its methods.
 */
export function fileIncidents(path: string): IncidentStore {
  let last: Promise<unknown> = Promise.resolve();
  const guard = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      if (HebraError.isInstance(error)) throw error;
      throw new HebraError("STORE_FAILED", `The incident file failed: ${errorMessage(error)}`, { cause: error });
    });

  async function read(): Promise<Map<string, Incident>> {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? "" : Promise.reject(error),
    );
    const incidents = new Map<string, Incident>();
    for (const line of text.split("\n").flatMap(parseLine)) {
      const before = incidents.get(line.id);
      if ("signature" in line) {
        if (before === undefined) incidents.set(line.id, line);
      } else if (before !== undefined && before.closed === undefined)
        incidents.set(line.id, { ...before, closed: line.closed! });
    }
    return incidents;
  }

  /** Appends what `work` makes of what is known, with everybody else kept out. */
  function append<T>(work: (known: ReadonlyMap<string, Incident>) => readonly [lines: readonly Line[], result: T]) {
    const run = last.then(async () => {
      await mkdir(dirname(path), { recursive: true });
      const lock = await takeLockFile(`${path}.lock`);
      try {
        const [lines, result] = work(await read());
        await lock.assertHeld();
        // The break first ends a line that a crash tore.
        if (lines.length > 0)
          await appendFile(path, lines.map((line) => `\n${JSON.stringify(line)}\n`).join(""), { flush: true });
        return result;
      } finally {
        await lock.release();
      }
    });
    last = run.catch(() => undefined);
    return guard(run);
  }

  return {
    write: (fresh) => append((known) => [fresh.filter(({ id }) => !known.has(id)), undefined]),
    list: (query = {}) => guard(read().then((known) => select([...known.values()], query))),
    read: (id) => guard(read().then((known) => known.get(id))),
    close: (id, closed) =>
      append((known) => {
        const found = known.get(id);
        if (found === undefined || found.closed !== undefined) return [[], found];
        return [[{ id, closed }], { ...found, closed }];
      }),
  };
}

function parseLine(text: string): Line[] {
  try {
    return text === "" ? [] : [JSON.parse(text) as Line];
  } catch {
    return [];
  }
}
