import { postgresFlagWriter } from "@hebra/flags/postgres";
import { eventually } from "@hebra/test-servers/eventually";
import pg from "pg";
import { expect, test } from "vitest";
import { parseFlagsConfig } from "./flags-config.ts";
import { openRouter } from "./open-router.ts";

const { DATABASE_URL: url = "" } = process.env;

test.skipIf(url === "")("a router by configuration follows flags in PostgreSQL, down to a kill", async () => {
  const schema = `gateway_flags_${process.pid}`;
  const writer = postgresFlagWriter({ connectionString: url, schema });
  const allow = { org: ["acme"] };
  await writer.write({ flags: {}, rollouts: { f: { version: 1, allow } } });
  const config = parseFlagsConfig({ key: "f", providers: [{ backend: "postgres", url, schema, pollMs: 200 }] }, false);
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const { router, close } = await openRouter(config, { ...quiet, child: () => quiet } as never);
  let sessions = 0;
  const served = () =>
    router.route(
      "f",
      { session: `s${sessions++}`, org: "acme" },
      {
        legacy: () => "legacy",
        next: () => "new",
        outcome: () => "ok",
        withoutHandover: true,
      },
    );
  expect(await served()).toBe("new");
  const kill = { at: "2026-11-30T00:00:00Z", by: "ana", reason: "drill" };
  await writer.write({ flags: {}, rollouts: { f: { version: 2, allow, kill } } });
  await eventually(async () => (await served()) === "legacy", "the kill is followed");
  await close();
  await writer.close();
  const pool = new pg.Pool({ connectionString: url });
  await pool.query(`drop schema ${schema} cascade`);
  await pool.end();
});
