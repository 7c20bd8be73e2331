import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis } from "@hebra/test-servers/redis";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCaptured } from "@hebra/cli-kit/testing";
import { program } from "./program.ts";
import { app } from "./testing/spawn.fixture.ts";

const PATIENCE = 120_000;
const url = process.env["DATABASE_URL"];

const hebra = (...args: string[]) => runCaptured(program, args);

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
      "tells what is pending with exit code 6, applies it once, and then has nothing to do",
      async () => {
        process.env["HEBRA_TEST_DATABASE"] = url;
        const path = config({ backend: "postgres", url: "${HEBRA_TEST_DATABASE}", schema });
        const look = () => hebra("migrations", "--config", path, "--json");

        const before = await look();
        expect(before.code).toBe(6);
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
      "a worker and a gateway on an empty database name the command that fills it, and no library call [NC-5]",
      async () => {
        const redis = await startRedis();
        try {
          const path = join(directory, "empty.json");
          const at = { backend: "redis", url: redis.url, namespace: schema };
          const store = { backend: "postgres", url, schema: `${schema}_empty` };
          writeFileSync(path, JSON.stringify({ bus: at, locks: { backend: "redis", url: redis.url }, store }));
          for (const command of ["worker", "gateway"]) {
            const { code, out, err } = await hebra(command, "--app", app, "--config", path);
            expect([code, out]).toEqual([2, ""]);
            expect(err).toMatch(/^SCHEMA_NOT_APPLIED: .*version 0, needed \d+/);
            expect(err).toContain(`Run \`hebra migrations --apply --config ${path}\``);
            expect(err).not.toContain("postgresMigrations");
          }
        } finally {
          await redis.stop();
        }
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
