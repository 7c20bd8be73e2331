import { HebraError, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import { readFlagText } from "../../evaluate/document.ts";
import type { FlagProvider, ProviderEvent } from "../provider.ts";
import { createRefresher } from "../refresher.ts";
import { flagTable, postgresShape, type FlagsPostgresClient, type PostgresFlagsOptions } from "./connection.ts";
import { onePlace } from "./table.ts";

/** Options of {@link postgresProvider}. */
export interface PostgresProviderOptions extends PostgresFlagsOptions {
  /**
   * Milliseconds between two looks. Behind a pooler, which passes no notifications on, this is the delay. @defaultValue
   * 1,000
   */
  readonly pollMs?: number;
  /** Whether to hold one connection that listens for changes. @defaultValue true */
  readonly listen?: boolean;
  readonly clock?: Clock;
}

const providerSchema = z
  .strictObject({
    ...postgresShape,
    pollMs: z.number().positive().default(1_000),
    listen: z.boolean().default(true),
    clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function").optional(),
  })
  .refine(onePlace.check, { message: onePlace.message });

const NO_TABLE = "42P01";

/**
 * Flags from PostgreSQL: one row with the document and its revision, a notification at each change, and a look every
 * `pollMs`. A connection that breaks is opened anew at the next look. When the document vanishes the last good one
 * stays in force.
 *
 * @throws HebraError `INVALID_OPTIONS`; `PEER_MISSING` when pg is not installed and no pool was passed.
 *
 * @example
 * ```ts
 * import { createFlags, envProvider } from "@hebra/flags";
 * import { postgresProvider } from "@hebra/flags/postgres";
 *
 * export const flagsOf = (connectionString: string) =>
 *   createFlags({ providers: [envProvider(), postgresProvider({ connectionString })] });
 * ```
 */
export function postgresProvider(options: PostgresProviderOptions): FlagProvider {
  const { pollMs, listen, clock = systemClock, ...where } = parseOptions("postgresProvider", providerSchema, options);
  const { table, channel, ask, close } = flagTable({ ...where, create: false });
  let listening: Promise<FlagsPostgresClient> | undefined;
  let watched = false;
  let seen = false;

  const refresher = createRefresher({
    name: `postgres ${table}`,
    clock,
    pollMs,
    async read(revision) {
      if (watched && listen) listenAgain();
      const found = (text: string) =>
        ask(async (pool) => {
          try {
            return (await pool.query(text)).rows[0];
          } catch (error) {
            // The writer has not made its table yet.
            if ((error as { code?: string }).code === NO_TABLE) return undefined;
            throw error;
          }
        });
      // A database that was restored may count from an earlier revision again: the digest tells two documents apart.
      const row = await found(`select revision || ' ' || md5(document) as revision from ${table} where name = 'flags'`);
      if (row !== undefined && String(row["revision"]) === revision) return "unchanged";
      const whole = await found(
        `select revision || ' ' || md5(document) as revision, document from ${table} where name = 'flags'`,
      );
      if (whole === undefined) {
        if (seen)
          throw new HebraError(
            "FLAG_INVALID",
            `The flags vanished from PostgreSQL (${table}); the last known good ones stay in force. Write an empty document to remove them.`,
          );
        return { revision: "0", snapshot: { document: { flags: {} } } };
      }
      const snapshot = readFlagText(String(whole["document"]));
      seen = true;
      return { revision: String(whole["revision"]), snapshot };
    },
  });

  /** Holds a connection that listens, unless one does. */
  function listenAgain(): void {
    if (listening !== undefined || refresher.closed()) return;
    const opening = ask((pool) => pool.connect());
    listening = opening;
    const lost = () => {
      if (listening !== opening) return;
      listening = undefined;
      void opening.then((client) => client.release(true)).catch(() => undefined);
      refresher.refresh();
    };
    opening
      .then(async (client) => {
        client.on("error", lost);
        client.on("end", lost);
        client.on("notification", () => refresher.refresh());
        await client.query(`listen ${channel}`);
        // What changed before the listening began was told to nobody.
        refresher.refresh();
      })
      .catch(() => {
        if (listening === opening) listening = undefined;
      });
  }

  return {
    name: "postgres",
    load: () => refresher.load(),
    watch(listener: (event: ProviderEvent) => void) {
      watched = true;
      if (listen) listenAgain();
      return refresher.watch(listener);
    },
    async close() {
      refresher.close();
      const client = await listening?.catch(() => undefined);
      listening = undefined;
      client?.release(true);
      await close();
    },
  };
}
