import { mkdirSync } from "node:fs";
import { HebraError, loadPeer } from "@hebra/core";
import * as z from "zod";
import { lockDirectory } from "./directory-lock.ts";
import { pglitePort, type PgliteInstance } from "./pglite.ts";
import { poolPort } from "./pool.ts";
import type { PgPool } from "./pg-client.ts";
import type { PostgresPort } from "./port.ts";

/** Which database, in one of three ways. */
export interface PostgresConnection {
  /**
   * A pool of `pg`, made by the host, which also ends it. One of its connections is kept for listening while threads
   * are watched.
   */
  pool?: PgPool;
  /** `postgres://…`, for a pool of the store's own. Needs the optional peer `pg`. */
  connectionString?: string;
  /** How many connections the store's own pool may hold. @defaultValue 10 */
  poolSize?: number;
  /**
   * PGlite made by the host, which also closes it, or a directory for one of the store's own; `memory://` keeps
   * nothing. Needs the optional peer `@electric-sql/pglite`.
   */
  pglite?: PgliteInstance | string;
  /**
   * Whether statements stay prepared in their connections. Turn it off behind a pooler in transaction mode that does
   * not
   * carry prepared statements.
   *
   * @defaultValue true
   */
  prepare?: boolean;
  /**
   * How long a call waits for what others have locked, and for a free connection, in milliseconds; then it fails with
   * `STORE_BUSY`. A process that stands still inside a transaction loses it after half of that, so that it keeps nobody
   * from the rest. @defaultValue 5000
   */
  busyMs?: number;
  /** Where the tables are, beside the host's own or apart. @defaultValue `public` */
  schema?: string;
}

const method = (name: string) => (value: unknown) =>
  typeof value === "object" && value !== null && typeof (value as Record<string, unknown>)[name] === "function";

export const connectionShape = {
  pool: z.custom<PgPool>(method("connect"), "is not a pool of pg").optional(),
  connectionString: z.string().min(1).optional(),
  poolSize: z.number().int().min(1).default(10),
  pglite: z
    .union([z.string().min(1), z.custom<PgliteInstance>(method("transaction"), "is neither a directory nor PGlite")])
    .optional(),
  prepare: z.boolean().default(true),
  busyMs: z.number().int().min(1).max(3_600_000).default(5_000),
  schema: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "is not a plain name of at most 63 letters, digits and underscores")
    .default("public"),
};

type Parsed = z.output<z.ZodObject<typeof connectionShape>>;

const neededBy = "@hebra/thread/store/postgres";

/** @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`, `STORE_LOCKED` */
export async function connect(options: Parsed): Promise<{ port: PostgresPort; embedded: boolean }> {
  const { pool, connectionString, pglite } = options;
  if ([pool, connectionString, pglite].filter((one) => one !== undefined).length !== 1) {
    throw new HebraError("INVALID_OPTIONS", "Give exactly one of `pool`, `connectionString` and `pglite`.");
  }
  if (pool !== undefined) return { port: poolPort(pool, false, options.prepare, options.busyMs), embedded: false };
  if (connectionString !== undefined) return { port: await ownPool(connectionString, options), embedded: false };
  if (typeof pglite !== "string") return { port: pglitePort(pglite!, undefined), embedded: true };
  return { port: await ownPglite(pglite), embedded: true };
}

async function ownPool(connectionString: string, { poolSize, prepare, busyMs }: Parsed): Promise<PostgresPort> {
  const { default: pg } = await loadPeer({ name: "pg", range: "^8.11.0", neededBy }, () => import("pg"));
  const pool = new pg.Pool({ connectionString, max: poolSize });
  return poolPort(pool as unknown as PgPool, true, prepare, busyMs);
}

async function ownPglite(directory: string): Promise<PostgresPort> {
  const { PGlite } = await loadPeer(
    { name: "@electric-sql/pglite", range: ">=0.3.0", neededBy },
    () => import("@electric-sql/pglite"),
  );
  const inMemory = directory.startsWith("memory://");
  // Conversations are private: only this user may read a directory that is made here.
  if (!inMemory) mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = inMemory ? () => undefined : lockDirectory(directory);
  try {
    const database = await PGlite.create(directory);
    return pglitePort(database as unknown as PgliteInstance, unlock);
  } catch (error) {
    unlock();
    throw new HebraError("STORE_FAILED", "PGlite could not open its directory. Check that it is one, and its rights.", {
      cause: error,
      retryable: false,
    });
  }
}
