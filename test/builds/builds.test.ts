import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "@hebra/core";
import type { ContextBundle } from "@hebra/thread";
import { verifyGraph } from "@hebra/thread/testing";
import type { StoreConfig } from "../crash/stores.ts";
import { bundleBuild, removeBuilds } from "./bundle.ts";
import { endAll, startBuild, type BuildProcess } from "./process.ts";

const PATIENCE = 600_000;
const builds = { older: "", newer: "" };
beforeAll(async () => {
  for (const which of ["older", "newer"] as const) builds[which] = await bundleBuild(which);
}, PATIENCE);

const databaseUrl = process.env["DATABASE_URL"];
const redisUrl = process.env["REDIS_URL"];
const schema = `builds_${process.pid}`;
afterAll(async () => {
  endAll();
  removeBuilds();
  if (databaseUrl === undefined) return;
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  await pool.end();
}, PATIENCE);

const stores: [string, StoreConfig | undefined][] = [
  ["postgres", databaseUrl === undefined ? undefined : { kind: "postgres", url: databaseUrl, schema }],
  ["redis", redisUrl === undefined ? undefined : { kind: "redis", url: redisUrl, namespace: `builds:${process.pid}` }],
];

const members = ["items", "executions", "steps", "parts", "calls", "approvals", "outbox", "triggers"] as const;
type Row = JsonObject & { mood: JsonObject | null };

/** Every row of a context by a name of its own, as the newer build reads it. */
function rowsOf(bundle: ContextBundle): Map<string, Row> {
  const rows = new Map<string, Row>([
    ["thread", bundle.thread as unknown as Row],
    ["context", bundle.context as unknown as Row],
  ]);
  for (const member of members) {
    for (const row of (bundle[member] ?? []) as unknown as Row[])
      rows.set(`${member} ${String(row["id"] ?? row["triggerId"])}`, row);
  }
  return rows;
}

const ends = new Set([
  "completed",
  "failed",
  "cancelled",
  "incomplete",
  "succeeded",
  "denied",
  "expired",
  "interrupted",
]);

/** What is no longer as it was, although only a build that does not know the new column has written since. */
function lost(before: ContextBundle, after: ContextBundle): string[] {
  const now = rowsOf(after);
  const wrong: string[] = [];
  for (const [name, row] of rowsOf(before)) {
    const later = now.get(name);
    if (later === undefined) wrong.push(`${name} is gone`);
    else if (JSON.stringify(later.mood) !== JSON.stringify(row.mood))
      wrong.push(`${name}: mood was ${JSON.stringify(row.mood)}, is ${JSON.stringify(later.mood)}`);
    else if (
      ends.has(String(row["status"])) &&
      row["status"] !== "handed_over" &&
      !name.startsWith("outbox") &&
      JSON.stringify(sorted(later)) !== JSON.stringify(sorted(row))
    )
      wrong.push(`${name} had ended and was changed`);
  }
  return wrong;
}

const sorted = (row: object) => Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));

/** What only the newer build writes into documents, where it has written a row. */
function strayed(bundle: ContextBundle): string[] {
  const wrong: string[] = [];
  const by = (row: unknown) => (row as Row).mood?.["by"] === "newer";
  for (const item of bundle.items) if (by(item) && item.metadata["flavour"] !== "sweet") wrong.push(`item ${item.id}`);
  for (const execution of bundle.executions)
    if (by(execution) && ((execution.usage as { tastes?: number }).tastes !== 5 || execution.correlation["wave"] !== 7))
      wrong.push(`execution ${execution.id}`);
  for (const part of bundle.parts)
    if (by(part) && (part.content as { tint?: string }).tint !== "red") wrong.push(`part ${part.id}`);
  return wrong;
}

describe.each(stores)("two builds of the package, one schema version apart, over %s", (name, config) => {
  it.skipIf(config === undefined)(
    "both read and write, in turn and at once, also after the newer one was rolled back; nothing is lost",
    async () => {
      const open = async (which: "older" | "newer", expected: number): Promise<BuildProcess> => {
        const process = startBuild(builds[which]);
        expect(await process.tell({ do: "open", store: config!, newer: which === "newer" })).toBe(expected);
        return process;
      };
      const older = await open("older", 1);
      const react = (who: BuildProcess, key: string, id: string, text: "plain" | "ask" = "plain") =>
        who.tell({ do: "react", key, id, text });
      const exported = (who: BuildProcess, key: string) => who.tell({ do: "export", key }) as Promise<ContextBundle>;

      // Before the newer one comes.
      expect(await react(older, "a", "o1")).toBe("completed");
      expect(await react(older, "b", "o1", "ask")).toBe("waiting");
      expect(await older.tell({ do: "react", key: "archive", id: "o1", text: "plain", tenant: "apart" })).toBe(
        "completed",
      );
      const lines = await older.tell({ do: "lines", tenant: "apart" });

      // It comes, and migrates, while the older one is at work.
      const atWork = older.tell({ do: "play", key: "busy", from: 0, count: 15 });
      const newer = await open("newer", 2);
      expect(new Set((await atWork) as string[])).toEqual(new Set(["completed"]));
      if (name === "postgres") {
        const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
        expect(
          (await pool.query(`SELECT version::int, compatible_from::int FROM ${schema}.thread_schema ORDER BY 1`)).rows,
        ).toEqual([
          { version: 1, compatible_from: 1 },
          { version: 2, compatible_from: 1 },
          { version: 3, compatible_from: 2 },
        ]);
        expect(
          (
            await pool.query("SELECT 1 FROM pg_indexes WHERE schemaname = $1 AND indexname = 'thread_items_moody'", [
              schema,
            ])
          ).rowCount,
        ).toBe(1);
        await pool.end();
      }
      // What was exported before is still good.
      expect(await newer.tell({ do: "import", lines: lines as string[] })).toMatchObject({ contexts: 1, unchanged: 0 });

      // In turn: each goes on with what the other has left.
      expect(await newer.tell({ do: "approve", key: "b" })).toBe("completed");
      for (let round = 0; round < 3; round++) {
        expect(await react(newer, "a", `n${round}`, "ask")).toBe("waiting");
        const left = await exported(newer, "a");
        expect(await older.tell({ do: "approve", key: "a" })).toBe("completed");
        const ended = await exported(newer, "a");
        expect({ round, lost: lost(left, ended), strayed: strayed(ended) }).toEqual({ round, lost: [], strayed: [] });
        expect(await react(older, "a", `p${round}`, "ask")).toBe("waiting");
        expect(await newer.tell({ do: "approve", key: "a" })).toBe("completed");
        expect(await older.tell({ do: "mark", key: "a" })).toBeGreaterThan(0);
        const marked = await exported(newer, "a");
        expect({ round, lost: lost(ended, marked), strayed: strayed(marked) }).toEqual({
          round,
          lost: [],
          strayed: [],
        });
        // Made by the older one, and only one column set by the newer.
        const asked = marked.executions.find(({ triggerId }) => triggerId === `p${round}`)!;
        expect(marked.approvals!.filter(({ executionId }) => executionId === asked.id)).toMatchObject([
          { status: "approved", mood: { by: "decider" } },
        ]);
      }
      // The older one does not pretend that its part is the whole.
      await expect(exported(older, "a")).rejects.toMatchObject({ code: "SCHEMA_TOO_NEW" });
      expect(await older.tell({ do: "history", key: "a" })).toEqual(await newer.tell({ do: "history", key: "a" }));

      // At once, in one conversation.
      const both = await Promise.all([
        older.tell({ do: "play", key: "shared", from: 0, count: 10 }),
        newer.tell({ do: "play", key: "shared", from: 10, count: 10 }),
      ]);
      expect(both.flat()).toEqual(Array.from({ length: 20 }, () => "completed"));

      // Each takes over from one of the other that was killed in the middle of an action.
      for (const [dying, rescuer, key] of [
        ["newer", older, "fall-newer"],
        ["older", newer, "fall-older"],
      ] as const) {
        const doomed = await open(dying, dying === "newer" ? 2 : 1);
        doomed.tell({ do: "react", key, id: "d1", text: "die" }).catch(() => undefined);
        expect(await doomed.ended).toBe("SIGKILL");
        const left = await exported(newer, key);
        for (let status = "running"; status === "running";) {
          // The lease of the dead ends by itself.
          await rescuer.tell({ do: "recover" });
          status = (await exported(newer, key)).executions[0]!.status;
        }
        const rescued = await exported(newer, key);
        expect(rescued.executions[0]!.status).toBe("completed");
        expect(rescued.calls.map(({ status }) => status)).toEqual(["interrupted"]);
        expect({ key, lost: lost(left, rescued), strayed: strayed(rescued) }).toEqual({ key, lost: [], strayed: [] });
      }

      // Back to the older one, and a fresh process of it too.
      expect(await react(newer, "untouched", "n1")).toBe("completed");
      expect(await react(newer, "b", "n1", "ask")).toBe("waiting");
      const keys = ["a", "b", "busy", "shared", "fall-newer", "fall-older", "untouched"];
      const before = new Map<string, ContextBundle>();
      for (const key of keys) before.set(key, await exported(newer, key));
      const digest = await newer.tell({ do: "digest", key: "untouched" });
      await newer.stop();
      const fresh = await open("older", 1);
      expect(await fresh.tell({ do: "approve", key: "b" })).toBe("completed");
      for (const [i, key] of keys.slice(0, -1).entries()) {
        expect(await react(i % 2 === 0 ? older : fresh, key, `back-${key}`, "ask")).toBe("waiting");
        expect(await (i % 2 === 0 ? fresh : older).tell({ do: "approve", key })).toBe("completed");
      }
      await older.stop();
      await fresh.stop();

      // And forward again.
      const again = await open("newer", 2);
      for (const key of keys) {
        const now = await exported(again, key);
        expect({
          key,
          lost: lost(before.get(key)!, now),
          strayed: strayed(now),
          graph: verifyGraph(now, { settled: true }),
        }).toEqual({ key, lost: [], strayed: [], graph: [] });
        const moods = [...rowsOf(now)].filter(([, { mood }]) => mood === null);
        expect({ key, withoutMood: moods.map(([row]) => row) }).toEqual({ key, withoutMood: [] });
        // Nobody wrote to it meanwhile.
        if (key === "untouched")
          expect([now, await again.tell({ do: "digest", key })]).toEqual([before.get(key), digest]);
        expect(await react(again, key, `last-${key}`)).toBe("completed");
      }
      await again.stop();
    },
    PATIENCE,
  );
});
