/** The name of a worker's database. @param run - names the run. @param worker - counts from 1 */
export function databaseOf(run: string, worker: number): string {
  return `${run}_${worker}`;
}

/** The same server with another database. */
export function databaseUrl(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

/**
 * The same server with another numbered database. A server has 16 of them unless it is configured otherwise, so the
 * numbers go round: the one that the URL names is followed by those of the workers.
 */
export function redisUrl(url: string, worker: number): string {
  const changed = new URL(url);
  const named = Number(changed.pathname.slice(1) || "0");
  changed.pathname = `/${(named + worker) % 16}`;
  return changed.href;
}
