import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@hebra/test-servers/eventually";
import type { RuntimeConfig } from "@hebra/thread/runtime";
import { Redis } from "ioredis";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, test } from "vitest";
import { composeFile } from "./support/compose.ts";
import { readDeploy } from "./support/files.ts";
import { answerOf, freePort, killAll, runHebra, seriesServed, type HebraProcess } from "./support/run-hebra.ts";

const PATIENCE = 240_000;
const { REDIS_URL: redisUrl, DATABASE_URL: databaseUrl } = process.env;

/**
 * The services of the Compose file as processes of this host: the same commands and environment, on ports and in
 * namespaces of their own.
 */
describe.skipIf(redisUrl === undefined || databaseUrl === undefined)(
  "the services of the Compose file",
  { timeout: PATIENCE },
  () => {
    const { services } = composeFile();
    const own = `deploy_${process.pid}`;
    const directory = mkdtempSync(join(tmpdir(), "hebra-deploy-"));
    const file = (name: string) => join(directory, name);
    const pool = new pg.Pool({ connectionString: databaseUrl });

    beforeAll(async () => {
      const config = JSON.parse(readDeploy("compose/hebra.json")) as RuntimeConfig;
      const apart: RuntimeConfig = {
        ...config,
        bus: { ...config.bus, namespace: own },
        locks: { ...config.locks, namespace: own },
        store: { ...config.store, schema: own },
      };
      writeFileSync(file("hebra.json"), JSON.stringify(apart));
      writeFileSync(file("redis_url"), `${redisUrl!}\n`);
      writeFileSync(file("database_url"), `${databaseUrl!}\n`);
      writeFileSync(file("api_key"), "a-key-of-the-test\n");
      await pool.query("SELECT 1");
    }, PATIENCE);
    afterEach(killAll);
    afterAll(async () => {
      await pool.query(`DROP SCHEMA IF EXISTS ${own} CASCADE`);
      await pool.end();
      const redis = new Redis(redisUrl!);
      for await (const keys of redis.scanStream({ match: `${own}*` }))
        if ((keys as string[]).length > 0) await redis.del(keys as string[]);
      redis.disconnect();
      rmSync(directory, { recursive: true, force: true });
    });

    /** One service as a process, with ports that nobody else has. */
    async function start(name: "gateway" | "worker" | "migrations", args = services[name]!.command!) {
      const ports: Record<string, number> = {
        "8080": await freePort(),
        "9090": await freePort(),
        "9464": await freePort(),
      };
      const here = (word: string) =>
        ({
          "/etc/hebra/hebra.json": file("hebra.json"),
          "0.0.0.0": "127.0.0.1",
          "8080": String(ports["8080"]),
          "9090": String(ports["9090"]),
        })[word] ?? word;
      const environment = Object.fromEntries(
        Object.entries(services[name]!.environment!).map(([key, value]) => [
          key,
          value.startsWith("/run/secrets/") ? file(value.slice("/run/secrets/".length)) : value,
        ]),
      );
      const running: HebraProcess = runHebra(
        args.map(here),
        { ...environment, OTEL_EXPORTER_PROMETHEUS_PORT: String(ports["9464"]) },
        directory,
      );
      const get = async (port: number, path: string) => (await answerOf(port, path))!;
      return {
        ...running,
        probe: (path: string) => get(ports["9090"]!, path),
        metrics: async () => seriesServed((await get(ports["9464"]!, "/metrics")).text),
        say: async (id: string, waitMs = 60_000, key = "a-key-of-the-test") =>
          (await answerOf(ports["8080"]!, `/messages?wait=${waitMs}`, {
            method: "POST",
            headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
            body: JSON.stringify({ id, chat: "ana", text: "Where is A-7?" }),
          }))!,
      };
    }

    test("migrate, start in any order, answer, scale, are measured, and end within their grace", async () => {
      const early = await start("worker");
      assert.equal(await early.exit, 2);
      assert.match(early.out(), /SCHEMA_NOT_APPLIED/);

      const pending = await start(
        "migrations",
        services["migrations"]!.command!.filter((word) => word !== "--apply"),
      );
      assert.equal(await pending.exit, 6);
      const migrations = await start("migrations");
      assert.equal(await migrations.exit, 0, migrations.out() + migrations.err());

      const gateway = await start("gateway");
      await gateway.started();
      assert.equal((await gateway.probe("/healthz")).status, 200);
      const alone = await gateway.probe("/readyz");
      assert.deepEqual(
        [alone.status, (JSON.parse(alone.text) as { checks: { workers: object } }).checks.workers],
        [503, { ok: false, detail: "no worker is running" }],
      );

      const workers = await Promise.all([start("worker"), start("worker")]);
      await Promise.all(workers.map((worker) => worker.started()));
      await eventually(
        async () => (await gateway.probe("/readyz")).status === 200,
        "the gateway became ready",
        PATIENCE,
      );
      for (const worker of workers) assert.equal((await worker.probe("/readyz")).status, 200);

      assert.equal((await gateway.say("0", 0, "another-key")).status, 401);
      const answered = await gateway.say("1");
      assert.equal(answered.status, 200, answered.text);
      assert.equal((JSON.parse(answered.text) as { reply: { text: string } }).reply.text, "It has shipped.");
      const measured = new Set([
        ...(await workers[0].metrics()),
        ...(await workers[1].metrics()),
        ...(await gateway.metrics()),
      ]);
      for (const series of [
        "hebra_turn_duration_seconds_count",
        "hebra_execution_duration_seconds_count",
        "hebra_channel_published_total",
        "hebra_channel_send_duration_seconds_count",
        "hebra_queue_depth",
        "hebra_queue_oldest_age_seconds",
        "hebra_queue_oldest_waiting_age_seconds",
        "hebra_delivery_attempts_count",
        "hebra_outbound_duration_seconds_count",
        "hebra_dead_letters",
      ])
        assert.ok(measured.has(series), series);

      const stats = await start("worker", ["stats", "--config", "/etc/hebra/hebra.json", "--json"]);
      assert.deepEqual([await stats.exit, stats.err()], [0, ""]);
      assert.equal((JSON.parse(stats.out()) as { dead: number }).dead, 0);

      assert.equal(await workers[0].stop(), 0, workers[0].err());
      assert.equal((await gateway.say("2")).status, 200);
      const repeated = await gateway.say("2", 0);
      assert.deepEqual([repeated.status, (JSON.parse(repeated.text) as { status: string }).status], [202, "duplicate"]);
      const drained = await start("worker", [
        "drain",
        "--config",
        "/etc/hebra/hebra.json",
        "--deadline",
        "60000",
        "--json",
      ]);
      assert.equal(await drained.exit, 0, drained.out());
      assert.deepEqual(await Promise.all([gateway.stop(), workers[1].stop()]), [0, 0]);
      const { rows } = await pool.query(
        `SELECT count(*)::int AS turns FROM ${own}.thread_executions WHERE status = 'completed'`,
      );
      assert.deepEqual(rows, [{ turns: 2 }]);
    });
  },
);
