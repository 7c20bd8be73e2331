import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { afterAll, beforeAll, describe, it } from "vitest";
import { postgresMigrations, postgresStore, type PgliteInstance, type PostgresConnection } from "./postgres.ts";
import { storeContract } from "./store.contract.ts";
import type { StoreContractOptions } from "./contract/scenario.ts";

const url = process.env["DATABASE_URL"];
/** A busy machine may take its time; a clause has no other clock than the server's. In milliseconds. */
const PATIENCE = 120_000;
const schema = `contract_${process.pid}`;

/** Every clause has a tenant of its own, so all share one schema; reopening is another store over it. */
function harness(
  connection: () => PostgresConnection,
  query: (text: string, values: unknown[]) => Promise<unknown>,
): StoreContractOptions {
  return {
    create: () => postgresStore({ ...connection(), schema }),
    reopen: () => postgresStore({ ...connection(), schema }),
    async age(_store, { tenant, contextId, itemId }, v) {
      await query(
        `UPDATE ${schema}.thread_items SET schema_version = $1 WHERE tenant = $2 AND context_id = $3 AND id = $4`,
        [v, tenant, contextId, itemId],
      );
    },
  };
}

describe.skipIf(url === undefined)("postgresStore on a server", () => {
  const pool = new pg.Pool({ connectionString: url, max: 20 });
  beforeAll(async () => {
    const migrations = await postgresMigrations({ pool, schema });
    await migrations.apply();
    await migrations.close();
  }, PATIENCE);
  afterAll(async () => {
    await pool.query(`DROP SCHEMA ${schema} CASCADE`);
    await pool.end();
  });
  for (const [title, clause] of Object.entries(
    storeContract(
      harness(
        () => ({ pool }),
        (text, values) => pool.query(text, values),
      ),
    ),
  ))
    it(title, clause, PATIENCE);
});

describe("postgresStore on PGlite", () => {
  let database: PGlite;
  beforeAll(async () => {
    database = await PGlite.create("memory://");
    const migrations = await postgresMigrations({ pglite: database as unknown as PgliteInstance, schema });
    await migrations.apply();
  }, PATIENCE);
  afterAll(() => database.close());
  const clauses = storeContract(
    harness(
      () => ({ pglite: database as unknown as PgliteInstance }),
      (text, values) => database.query(text, values),
    ),
  );
  for (const [title, clause] of Object.entries(clauses)) it(title, clause, PATIENCE);
});
