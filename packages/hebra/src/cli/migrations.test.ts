import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "./run-command.ts";

const PATIENCE = 120_000;
const url = process.env["DATABASE_URL"];

async function hebra(...args: string[]) {
  let out = "";
  let err = "";
  const code = await runCommand(
    args,
    { out: (text) => void (out += text), err: (text) => void (err += text) },
    new AbortController().signal,
  );
  return { code, out, err };
}

describe("hebra migrations", () => {
  const directory = mkdtempSync(join(tmpdir(), "hebra-migrations-"));
  const schema = `cli_migrations_${process.pid}`;
  const config = (store: object) => {
    const path = join(directory, "hebra.json");
    writeFileSync(path, JSON.stringify({ store }));
    return path;
  };
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("says that other stores have no step of their own", async () => {
    for (const backend of ["memory", "sqlite"]) {
      const { code, err } = await hebra("migrations", "--config", config({ backend }));
      expect(code).toBe(2);
      expect(err).toMatch(new RegExp(`^UNSUPPORTED: .*"${backend}"`));
    }
  });

  describe.skipIf(url === undefined)("on PostgreSQL", () => {
    const pool = new pg.Pool({ connectionString: url });
    beforeAll(async () => void (await pool.query("SELECT 1")), PATIENCE);
    afterAll(async () => {
      await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await pool.end();
    });

    it(
      "tells what is pending with exit code 3, applies it once, and then has nothing to do",
      async () => {
        process.env["HEBRA_TEST_DATABASE"] = url;
        const path = config({ backend: "postgres", url: "${HEBRA_TEST_DATABASE}", schema });
        const look = () => hebra("migrations", "--config", path, "--json");

        const before = await look();
        expect(before.code).toBe(3);
        const { needed, ...rest } = JSON.parse(before.out) as { needed: number };
        expect(rest).toMatchObject({ version: 0, applied: [] });
        const applied = await hebra("migrations", "--config", path, "--apply", "--json");
        expect(applied.code).toBe(0);
        expect(JSON.parse(applied.out)).toMatchObject({ version: needed, needed, pending: [] });
        expect((JSON.parse(applied.out) as { applied: number[] }).applied).toHaveLength(needed);
        const { rows } = await pool.query(`SELECT max(version)::int AS version FROM ${schema}.thread_schema`);
        expect(rows).toEqual([{ version: needed }]);

        const again = await hebra("migrations", "--config", path, "--apply");
        expect(again).toMatchObject({ code: 0, err: "" });
        expect(again.out).toContain("nothing is pending");
        expect(await look()).toMatchObject({ code: 0 });
      },
      PATIENCE,
    );

    it(
      "refuses a database of a later build",
      async () => {
        await pool.query(`INSERT INTO ${schema}.thread_schema VALUES (999, 999, 0)`);
        const { code, err } = await hebra(
          "migrations",
          "--config",
          config({ backend: "postgres", url, schema }),
          "--apply",
        );
        expect(code).toBe(2);
        expect(err).toMatch(/^SCHEMA_TOO_NEW: /);
      },
      PATIENCE,
    );
  });
});
