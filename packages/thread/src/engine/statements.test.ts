import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import pg from "pg";
import { afterAll, describe, test } from "vitest";
import { scriptedReactor } from "@hebra/reactor";
import { defineThread, type ThreadOptions } from "../definition/define-thread.ts";
import { storeLocks } from "../store/locks.ts";
import { postgresMigrations, postgresStore, type PgClient } from "../store/postgres.ts";
import { createEngine } from "./engine.ts";
import { action } from "./engine.fixture.ts";

const url = process.env["DATABASE_URL"];
const schema = `statements_${process.pid}`;
const PAIRS = 3;
/** What DBOS 5.3 sends for a workflow of as many steps. */
const LIMIT = 16;
const TURNS = 10;
let conversations = 0;

describe.skipIf(url === undefined)("statements of a turn of three pairs on Postgres, over storeLocks", () => {
  const admin = new pg.Pool({ connectionString: url, max: 1 });
  afterAll(async () => {
    await admin.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await admin.end();
  });

  /** Plays turns one after the other, and counts what the store sends for them. */
  async function count(policy: ThreadOptions["policy"] & {}, between: (idle: () => Promise<void>) => Promise<void>) {
    const migrations = await postgresMigrations({ pool: admin, schema });
    await migrations.apply();
    await migrations.close();
    let sent = 0;
    const pool = new pg.Pool({ connectionString: url, max: 4 });
    pool.on("connect", (client) => {
      const one = client as unknown as PgClient;
      const query = one.query.bind(one);
      one.query = (config) => (sent++, query(config));
    });
    const store = await postgresStore({ pool, schema });
    const locks = storeLocks(store);
    const definition = defineThread({
      name: "desk",
      policy,
      actions: { look: action(() => "done", { effect: "read" }) },
      reactor: scriptedReactor({
        steps: [
          ...Array.from({ length: PAIRS }, (_, n) => ({ actions: [{ name: "look", input: { n } }] })),
          { text: "Done." },
        ],
        repeatLast: true,
      }),
    });
    const engine = createEngine({ store, locks, threads: [definition], recoverEveryMs: false });
    const key = `c-${++conversations}`;
    const play = async (id: string) => {
      const turn = await engine.react(definition, { id, text: "Look." }, { address: { key } });
      assert.equal((await turn.result).status, "completed");
      await between(() => engine.idle());
    };
    for (let n = 0; n < 3; n++) await play(`warm ${n}`);
    sent = 0;
    for (let n = 0; n < TURNS; n++) await play(`m${n}`);
    const before = sent;
    await engine.close();
    await locks.close();
    await store.close();
    await pool.end();
    return before / TURNS;
  }

  const directly = async () => {};
  const later = async (idle: () => Promise<void>) => {
    await idle();
    await setImmediate();
  };

  test("a turn that follows directly takes no more of them than DBOS [PF-6]", async () => {
    const each = await count({}, directly);
    assert.ok(each <= LIMIT - 3, `${each} statements`);
  });

  test("a turn that comes later takes no more of them than DBOS [PF-6]", async () => {
    const each = await count({}, later);
    assert.ok(each <= LIMIT + 0.5, `${each} statements`);
  });

  test("steps of reads take one commit less each where they are recorded with their results [PF-6]", async () => {
    const [apart, together] = [await count({}, directly), await count({ recordReads: "with-results" }, directly)];
    assert.ok(apart - together >= PAIRS - 0.5, `${apart} and ${together} statements`);
  });
});
