import { HebraError, parseOptions } from "@hebra/core";
import * as z from "zod";
import { changedDocument, readStored, replacedDocument } from "../../evaluate/stored-document.ts";
import type { FlagDocument } from "../../evaluate/types.ts";
import { flagTable, postgresShape, type PostgresFlagsOptions } from "./connection.ts";
import { onePlace } from "./table.ts";

/** Writes the document that `postgresProvider` reads. */
export interface PostgresFlagWriter {
  /**
   * The document and its revision, 0 when there is none; `rejected` has the flags that cannot be used, which a write
   * leaves as they are.
   *
   * @throws HebraError `UNREACHABLE`; `STORE_FAILED` when what is stored is no flag document
   */
  read(): Promise<{
    readonly document: FlagDocument;
    readonly revision: number;
    readonly rejected?: Readonly<Record<string, string>>;
  }>;
  /**
   * Puts a document in force and tells every process.
   *
   * @param expected - the revision that it was made from; left out, it is written over whatever is there.
   * @returns the new revision
   * @throws HebraError `FLAG_INVALID`; `REVISION_CONFLICT` when another write came first; `UNREACHABLE`
   */
  write(document: FlagDocument, expected?: number): Promise<number>;
  close(): Promise<void>;
}

const writerSchema = z.strictObject(postgresShape).refine(onePlace.check, { message: onePlace.message });

/**
 * A writer of the flags in PostgreSQL. The write, its revision and its notification are one transaction.
 *
 * @throws HebraError `INVALID_OPTIONS`, `PEER_MISSING`
 *
 * @example
 * ```ts
 * import { createAdminHandler, type AdminToken } from "@hebra/flags/admin";
 * import { postgresFlagWriter, postgresRolloutStore } from "@hebra/flags/postgres";
 * import { createRolloutService } from "@hebra/flags/rollout";
 *
 * export async function adminOf(connectionString: string, tokens: readonly AdminToken[]) {
 *   const service = createRolloutService({ store: await postgresRolloutStore({ connectionString }) });
 *   return createAdminHandler({ tokens, service, documents: postgresFlagWriter({ connectionString }) });
 * }
 * ```
 */
export function postgresFlagWriter(options: PostgresFlagsOptions): PostgresFlagWriter {
  const { table, channel, ask, close } = flagTable({
    ...parseOptions("postgresFlagWriter", writerSchema, options),
    create: true,
  });

  const stored = () =>
    ask(async (pool) => {
      const { rows } = await pool.query(`select revision, document from ${table} where name = 'flags'`);
      return { revision: Number(rows[0]?.["revision"] ?? 0), text: rows[0]?.["document"] as string | undefined };
    });
  const conflict = (revision: number, expected: number) =>
    new HebraError("REVISION_CONFLICT", `The flags are at revision ${revision}, not ${expected}.`, {
      details: { revision, expected },
    });

  /** @returns whether nobody else wrote meanwhile */
  function replace(text: string, revision: number): Promise<boolean> {
    // One statement is one transaction: the notification goes out with the commit, and for a write that happened.
    const written =
      revision === 0
        ? `insert into ${table} (name, revision, document) values ('flags', $2::bigint + 1, $1) on conflict do nothing returning 1`
        : `update ${table} set revision = revision + 1, document = $1 where name = 'flags' and revision = $2 returning 1`;
    return ask(async (pool) => {
      const { rows } = await pool.query(
        `with written as (${written}) select pg_notify('${channel}', '') from written`,
        [text, revision],
      );
      return rows.length === 1;
    });
  }

  return {
    async read() {
      const { revision, text } = await stored();
      return text === undefined ? { document: { flags: {} }, revision } : { ...readStored(text), revision };
    },
    async write(document, expected) {
      for (;;) {
        const { revision, text } = await stored();
        if (expected !== undefined && expected !== revision) throw conflict(revision, expected);
        const changed = expected === undefined ? replacedDocument : changedDocument;
        if (await replace(JSON.stringify(changed(text, document)), revision)) return revision + 1;
        // Somebody wrote in between: whoever named a revision hears of it, whoever named none writes over it.
        if (expected !== undefined) throw conflict((await stored()).revision, expected);
      }
    },
    close,
  };
}
