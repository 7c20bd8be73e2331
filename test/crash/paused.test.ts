import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";
import { bundleProgram, removeProgram, twoAtATime } from "./processes.ts";
import type { StoreConfig } from "./stores.ts";

const PATIENCE = 600_000;
const directory = mkdtempSync(join(tmpdir(), "hebra-paused-"));
let program = "";
beforeAll(async () => {
  program = await bundleProgram();
}, PATIENCE);
afterAll(() => {
  removeProgram();
  rmSync(directory, { recursive: true, force: true });
});

const databaseUrl = process.env["DATABASE_URL"];
const redisUrl = process.env["REDIS_URL"];
const schema = `paused_${process.pid}`;
afterAll(async () => {
  if (databaseUrl === undefined) return;
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  await pool.end();
});

const stores: [string, StoreConfig | undefined][] = [
  ["sqlite", { kind: "sqlite", path: join(directory, "paused.db") }],
  ["postgres", databaseUrl === undefined ? undefined : { kind: "postgres", url: databaseUrl, schema }],
  ["redis", redisUrl === undefined ? undefined : { kind: "redis", url: redisUrl, namespace: `paused:${process.pid}` }],
];

/** Before an answer is written, in the middle of a batch, before its results are written, and before the rest of them. */
const points = ["commit 1 before", "action charge before", "commit 2 before", "action send after", "commit 3 before"];

describe.each(stores)("a process that is paused past its lease over %s", (_name, config) => {
  it.skipIf(config === undefined).each([
    ["leases that know nothing of each other", false],
    ["leases in the store", true],
  ])("and comes back is refused, with %s; nothing is doubled", async (_title, sharedLeases) => {
    const harness: Harness = await createHarness(program, config!);
    try {
      const found = await twoAtATime(points, (label) => harness.pause(label, { sharedLeases }));
      for (const { label, violations, changed, refused, errors } of found) {
        expect({ label, violations, changed }).toEqual({ label, violations: [], changed: false });
        // `UNREACHABLE`: it was asking for the lease when it fell asleep, and the answer came too late to be of use. None: it
        // asked for the lease anew, and found the turn ended by the other.
        for (const code of errors) expect(["STALE_FENCE", "LOCK_LOST", "VERSION_CONFLICT", "UNREACHABLE"]).toContain(code);
        // It was about to write when it fell asleep, and does so when it wakes.
        if (label.startsWith("commit")) expect(refused).toEqual([`${label.replace(" before", "")}: STALE_FENCE`]);
      }
    } finally {
      await harness.close();
    }
  }, PATIENCE);
});
