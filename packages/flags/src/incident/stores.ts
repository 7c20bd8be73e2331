import { errorMessage, HebraError } from "@hebra/core";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Incident, IncidentQuery, IncidentStore } from "./incident.ts";

/** Whether an incident answers a query; without regard to `limit`. */
export function answers(query: IncidentQuery, incident: Incident): boolean {
  return (
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
  };
}

/**
 * Incidents in a file, a JSON line each: enough for one host, and easy to ship elsewhere.
 *
 * @throws HebraError `STORE_FAILED` from its methods.
 */
export function fileIncidents(path: string): IncidentStore {
  let last: Promise<unknown> = Promise.resolve();
  async function read(): Promise<Map<string, Incident>> {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? "" : Promise.reject(error),
    );
    const incidents = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Incident);
    return new Map(incidents.map((incident) => [incident.id, incident]));
  }
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const run = last.then(work).catch((error: unknown) => {
      throw new HebraError("STORE_FAILED", `The incident file failed: ${errorMessage(error)}`, { cause: error });
    });
    last = run.catch(() => undefined);
    return run;
  };
  return {
    write: (fresh) =>
      inTurn(async () => {
        await mkdir(dirname(path), { recursive: true });
        const known = await read();
        await appendFile(
          path,
          fresh
            .filter(({ id }) => !known.has(id))
            .map((incident) => `${JSON.stringify(incident)}\n`)
            .join(""),
          { flush: true },
        );
      }),
    list: (query = {}) => inTurn(async () => select([...(await read()).values()], query)),
  };
}
