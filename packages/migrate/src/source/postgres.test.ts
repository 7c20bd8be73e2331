import assert from "node:assert/strict";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { runCaptured } from "@hebra/cli-kit/testing";
import type { HebraError } from "@hebra/core";
import { memoryStore } from "@hebra/thread/store/memory";
import pg from "pg";
import { afterEach, beforeEach, describe, test } from "vitest";
import { program } from "../cli/program.ts";
import { shopMapping, shopTables } from "../own/shop.fixture.ts";
import { planMigration } from "../plan/plan.ts";
import { applyPlan } from "../run/apply.ts";
import { noJournal } from "../run/journal.ts";
import { wholeRun } from "../run/whole-run.fixture.ts";
import { verifyMigration } from "../verify/verify.ts";
import { memorySource } from "./memory-source.ts";
import { postgresSource } from "./postgres.ts";

const url = process.env["DATABASE_URL"];
const schema = `shop_${process.pid}`;

describe.skipIf(url === undefined)("tables in Postgres (need DATABASE_URL)", () => {
  const { folder } = wholeRun();
  let client: pg.Client;
  const conversations = 500;
  beforeEach(async () => {
    client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE; CREATE SCHEMA ${schema}; SET search_path = ${schema};
      CREATE TABLE conversations (no bigint PRIMARY KEY, subject text, opened_at timestamptz);
      CREATE TABLE messages (no bigint PRIMARY KEY, conversation_no bigint, author text, body text, tool_calls jsonb, sent_at timestamptz);
      CREATE INDEX ON messages (conversation_no)`);
    const tables = shopTables(conversations);
    for (const [name, rows] of Object.entries(tables))
      await client.query(`INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, $1)`, [
        JSON.stringify(rows),
      ]);
  });
  afterEach(async () => {
    await client.query(`DROP SCHEMA ${schema} CASCADE`);
    await client.end();
  });

  const mapping = {
    ...shopMapping,
    conversation: { ...shopMapping.conversation, from: `${schema}.conversations` },
    messages: { ...shopMapping.messages, from: `${schema}.messages` },
  };

  test("are paged by id and give what the same rows in memory give, in any page size [MI-4]", async () => {
    const target = { name: "memory" };
    const memory = await planMigration({
      source: memorySource(shopTables(conversations)),
      mapping: shopMapping,
      target,
    });
    for (const pageSize of [1_000, 7]) {
      const source = postgresSource({ connectionString: url!, pageSize });
      const { plan } = await planMigration({ source, mapping, target });
      assert.deepEqual(plan.contexts, memory.plan.contexts);
      assert.deepEqual(plan.rejects, { count: 0, byCode: {} });
    }
  });

  test("are moved from queries, and rows that hang on nothing are rejected; ids beyond 2^53 stay apart [MI-4]", async () => {
    await client.query(`INSERT INTO conversations VALUES (9007199254740993, 'big', now()), (9007199254740992, 'near', now());
      INSERT INTO messages VALUES (1, 9007199254740993, 'customer', 'one', NULL, now()), (2, 123456, 'customer', 'lost', NULL, now())`);
    const source = postgresSource({
      connectionString: url!,
      queries: {
        talks: `SELECT * FROM ${schema}.conversations WHERE no > 490`,
        lines: `SELECT m.* FROM ${schema}.messages m WHERE m.conversation_no > 490`,
      },
    });
    const talks = {
      ...shopMapping,
      conversation: { ...shopMapping.conversation, from: "talks" },
      messages: { ...shopMapping.messages, from: "lines" },
    };
    const target = memoryStore();
    const { plan, rejects } = await planMigration({ source, mapping: talks, target });
    assert.deepEqual(
      rejects.map(({ entity, id, code, path }) => [entity, id, code, path]),
      [["lines", "2", "ROW_ORPHANED", "conversation_no"]],
    );
    assert.equal(plan.contexts.count, 12);
    await applyPlan({ plan, source, mapping: talks, target, journal: noJournal, maxRejects: 1 });
    assert.equal((await verifyMigration({ source, mapping: talks, target })).ok, true);
    const { context } = (await target.load("default", { key: "9007199254740993" }))!;
    assert.equal((await target.history("default", context.id, { items: 9 })).length, 1);
  });

  test("a table that is not there and a server that is away are named, without the URL [MI-4]", async () => {
    const plan = (connectionString: string, from: string) =>
      planMigration({
        source: postgresSource({ connectionString }),
        mapping: { ...mapping, messages: { ...shopMapping.messages, from } },
        target: { name: "memory" },
      });
    await assert.rejects(plan(url!, "nowhere"), (error: HebraError) => {
      assert.equal(error.code, "SOURCE_INVALID");
      assert.match(error.message, /relation "nowhere" does not exist/);
      return true;
    });
    await assert.rejects(plan("postgres://someone:hush@127.0.0.1:1/x", "x"), (error: HebraError) => {
      assert.equal(error.code, "SOURCE_INVALID");
      assert.doesNotMatch(JSON.stringify([error.message, error.details]), /hush|someone/);
      return true;
    });
  });

  test("the command line reads the URL from a variable, and refuses one in its arguments [MI-4]", async () => {
    writeFileSync(join(folder(), "mapping.mjs"), `export const mapping = ${JSON.stringify(mapping)};`);
    const run = async (command: string, source: string) => {
      const out = command === "verify" ? [] : ["--out", join(folder(), "artifacts")];
      const args = [
        "--source",
        source,
        "--mapping",
        join(folder(), "mapping.mjs"),
        "--target",
        join(folder(), "x.sqlite"),
      ];
      return runCaptured(program, [command, "--json", ...args, ...out]);
    };
    assert.equal((await run("plan", "env:DATABASE_URL")).code, 0);
    assert.match((await run("apply", "env:DATABASE_URL")).out, /"changed": ?500/);
    assert.equal((await run("verify", "env:DATABASE_URL")).code, 0);
    const refused = await run("plan", "postgres://someone:hush@127.0.0.1:1/x");
    assert.equal(refused.code, 2);
    assert.doesNotMatch(refused.out + refused.err, /hush/);
  });
});
