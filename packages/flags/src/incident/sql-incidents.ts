import type { Incident, IncidentClosing, IncidentQuery, IncidentStore } from "./incident.ts";

/** What a database does for the store; placeholders are `$1`, `$2` … */
export interface IncidentDatabase {
  readonly table: string;
  /** The rows' first columns. */
  rows(statement: string, values: readonly (string | number | null)[]): Promise<string[]>;
  /** Changes rows. */
  run(statement: string, values: readonly (string | number | null)[]): Promise<void>;
}

/** The columns; both databases know these types. */
export const incidentColumns =
  "id text primary key, at text not null, kind text not null, flag text, org text, fingerprint text not null, code text not null, matched integer not null, closed_at text, record text not null";

/** Incidents in a table of a SQL database. A record is JSON in `record`; the other columns are for queries. */
export function sqlIncidents({ table, rows, run }: IncidentDatabase): IncidentStore {
  const read = async (id: string): Promise<Incident | undefined> => {
    const [record] = await rows(`select record from ${table} where id = $1`, [id]);
    return record === undefined ? undefined : (JSON.parse(record) as Incident);
  };
  return {
    read,
    async write(incidents) {
      for (const incident of incidents)
        await run(
          `insert into ${table} (id, at, kind, flag, org, fingerprint, code, matched, record) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing`,
          columnsOf(incident),
        );
    },
    async list(query = {}) {
      const { where, values } = conditions(query);
      const found = await rows(
        `select record from ${table}${where} order by at desc, id desc limit ${query.limit ?? 100}`,
        values,
      );
      return found.map((record) => JSON.parse(record) as Incident);
    },
    async close(id: string, closed: IncidentClosing) {
      const found = await read(id);
      if (found === undefined || found.closed !== undefined) return found;
      await run(`update ${table} set closed_at = $1, record = $2 where id = $3 and closed_at is null`, [
        closed.at,
        JSON.stringify({ ...found, closed }),
        id,
      ]);
      return read(id);
    },
  };
}

function columnsOf(incident: Incident): (string | number | null)[] {
  const { id, at, kind, flag = null, org = null, signature, decision } = incident;
  const { fingerprint, code } = signature;
  return [id, at, kind, flag, org, fingerprint, code, decision.matched ? 1 : 0, JSON.stringify(incident)];
}

function conditions(query: IncidentQuery): { readonly where: string; readonly values: (string | number)[] } {
  const values: (string | number)[] = [];
  const parts: string[] = [];
  const add = (column: string, operator: string, value: string | number | undefined): void => {
    if (value === undefined) return;
    values.push(value);
    parts.push(`${column} ${operator} $${values.length}`);
  };
  for (const name of ["kind", "flag", "org", "fingerprint", "code"] as const) add(name, "=", query[name]);
  add("matched", "=", query.matched === undefined ? undefined : query.matched ? 1 : 0);
  add("at", ">=", query.since);
  if (query.open !== undefined) parts.push(`closed_at is ${query.open ? "" : "not "}null`);
  return { where: parts.length === 0 ? "" : ` where ${parts.join(" and ")}`, values };
}
