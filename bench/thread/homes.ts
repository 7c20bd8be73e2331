import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import pg from "pg";
import { startBenchPostgres } from "../src/postgres.ts";
import { startBenchRedis } from "../src/redis.ts";
import type { Home } from "./subject.ts";

/** Where one subject keeps its threads, seen from outside. */
export interface Place {
  at: string;
  /** Write transactions so far, as the database itself counts them; nothing where there is no database. */
  commits(): Promise<number | undefined>;
  /** Bytes kept so far. */
  bytes(): Promise<number | undefined>;
  /** Readies the place for a short count. */
  settle(): Promise<void>;
}

/** The databases of one run: one of its own for every subject. */
export interface Homes {
  place(home: Home, name: string): Promise<Place>;
  close(): Promise<void>;
}

/**
 * Commit frames in a write-ahead log: those whose header says how large the database is then. See
 * https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
export function commitFrames(log: Buffer): number {
  if (log.length < 32) return 0;
  const pageSize = log.readUInt32BE(8);
  let commits = 0;
  for (let at = 32; at + 24 + pageSize <= log.length; at += 24 + pageSize) {
    // Frames of an earlier round of the log carry other salts.
    if (log.compare(log, 16, 24, at + 8, at + 16) !== 0) break;
    if (log.readUInt32BE(at + 4) !== 0) commits++;
  }
  return commits;
}

function sqlitePlace(path: string): Place {
  return {
    at: path,
    commits: async () => commitFrames(readFileSync(`${path}-wal`)),
    bytes: async () => {
      checkpoint(path);
      return statSync(path).size;
    },
    settle: async () => checkpoint(path),
  };
}

/** Moves everything from the log to the file, and empties the log. */
function checkpoint(path: string): void {
  const database = new Database(path);
  database.pragma("busy_timeout = 1000");
  const [outcome] = database.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
  database.close();
  if (outcome?.busy !== 0) throw new Error("The log could not be emptied: somebody reads the database.");
}

async function postgresPlace(at: string): Promise<Place & { close(): Promise<void> }> {
  const client = new pg.Client({ connectionString: at });
  await client.connect();
  const ask = async (text: string) => Number((await client.query<{ n: string }>(text)).rows[0]!.n);
  return {
    at,
    // The next transaction id that will be given: reading it gives none.
    commits: () => ask("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS n"),
    bytes: () => ask("SELECT pg_database_size(current_database()) AS n"),
    settle: async () => void (await client.query("CHECKPOINT")),
    close: () => client.end(),
  };
}

/** Starts what is needed when it is needed first. */
export function createHomes(): Homes {
  const directory = mkdtempSync(join(tmpdir(), "hebra-bench-"));
  const closing: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  let postgres: ReturnType<typeof startBenchPostgres> | undefined;
  let count = 0;
  return {
    async place(home, name) {
      const slug = `${name.toLowerCase().replace(/[^a-z]+/g, "_")}_${++count}`;
      switch (home) {
        case "nowhere":
          return { at: "", commits: async () => undefined, bytes: async () => undefined, settle: async () => {} };
        case "sqlite":
          return sqlitePlace(join(directory, `${slug}.db`));
        case "postgres": {
          if (postgres === undefined) {
            postgres = startBenchPostgres();
            closing.push(async () => (await postgres!).stop());
          }
          const place = await postgresPlace(await (await postgres).database(slug));
          closing.push(() => place.close());
          return place;
        }
        case "redis": {
          // A server for each: its memory and its statistics are those of one subject.
          const server = await startBenchRedis(["--appendonly", "yes", "--appendfsync", "everysec"]);
          closing.push(() => server.stop());
          const field = async (section: string, name: string) =>
            Number(new RegExp(`^${name}[:=](\\d+)`, "m").exec(await server.admin.info(section))?.[1] ?? 0);
          return {
            at: server.url,
            async commits() {
              const stats = await server.admin.info("commandstats");
              return [...stats.matchAll(/^cmdstat_(?:evalsha|eval|fcall):calls=(\d+)/gm)].reduce(
                (sum, [, calls]) => sum + Number(calls),
                0,
              );
            },
            bytes: () => field("memory", "used_memory_dataset"),
            settle: async () => {},
          };
        }
      }
    },
    async close() {
      for (const close of closing.toReversed()) await close();
    },
  };
}
