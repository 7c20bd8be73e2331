import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { memoryStore } from "@hebra/thread/store/memory";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { test } from "vitest";
import type { JsonObject } from "@hebra/core";
import { planMigration } from "../plan/plan.ts";
import { jsonlSource } from "../source/jsonl-source.ts";
import {
  addDialogue,
  emptyTables,
  small,
  writeTables,
  type LegacyTables,
} from "../story-to-thread/legacy-rows.fixture.ts";
import { verifyMigration } from "../verify/verify.ts";
import { applyPlan } from "./apply.ts";
import { noJournal } from "./journal.ts";
import { wholeRun } from "./whole-run.fixture.ts";

const { folder, cli } = wholeRun();
const old = () => join(folder(), "old");

function write(spoil: (tables: LegacyTables) => void, ids: readonly string[] = ["a", "b", "c"]): LegacyTables {
  const tables = emptyTables();
  for (const [i, id] of ids.entries()) addDialogue(tables, { ...small, id }, 1_700_000_000_000 + i * 100_000);
  spoil(tables);
  writeTables(old(), tables);
  return tables;
}

const lines = (name: string): JsonObject[] =>
  readFileSync(join(folder(), "artifacts", name), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as JsonObject);

/** Plans, applies and verifies in memory. */
async function move() {
  const source = jsonlSource(old());
  const target = memoryStore();
  const planned = await planMigration({ source, target });
  const maxRejects = planned.rejects.length;
  const applied = await applyPlan({ plan: planned.plan, source, target, journal: noJournal, maxRejects });
  return { ...planned, target, applied, verified: await verifyMigration({ source, target }) };
}

test("half a surrogate pair in a text is repaired and noted, and the row is moved [MI-2]", async () => {
  const tables = write((tables) => {
    tables.context_events[0]!["content"] = { parts: [{ type: "text", text: "Broken \ud83d here" }] };
    tables.story_parts[0]!["part"] = { ...(tables.story_parts[0]!["part"] as JsonObject), input: { "\udc00": "x" } };
  });
  const planned = await cli("plan");
  assert.deepEqual([planned["exit"], planned["notes"]], [0, { count: 2, byCode: { TEXT_REPAIRED: 2 } }]);
  assert.deepEqual(
    lines("notes.jsonl").map(({ entity, id, code, path }) => [entity, id, code, path]),
    [
      ["context_events", tables.context_events[0]!["id"], "TEXT_REPAIRED", "content.parts.0.text"],
      ["story_parts", tables.story_parts[0]!["id"], "TEXT_REPAIRED", "part.input.\ufffd"],
    ],
  );
  assert.deepEqual(lines("rejects.jsonl"), []);
  assert.equal((await cli("apply"))["changed"], 3);
  assert.equal((await cli("verify"))["ok"], true);
  const store = await sqliteStore({ path: join(folder(), "desk.sqlite") });
  const { context } = (await store.load("default", { key: "a" }))!;
  const [first] = await store.history("default", context.id, { items: 10 });
  assert.deepEqual(first!.item.content, [{ kind: "text", text: "Broken \ufffd here", step: 0 }]);
  await store.close();
});

const unkeepable: [what: string, spoil: (tables: LegacyTables) => void, entity: string, path: string][] = [
  ["an id", (t) => void (t.context_events[0]!["id"] = "e-\ud800"), "context_events", "id"],
  ["a context's id", (t) => void (t.context_contexts[0]!["id"] = "c-\udfff"), "context_contexts", "id"],
  ["a key", (t) => void (t.context_contexts[0]!["key"] = "a-\ud800"), "context_contexts", "key"],
  ["a link", (t) => void (t.story_executions[0]!["trigger"] = "e-\ud800"), "story_executions", "trigger"],
  ["a thread's id", (t) => void (t.context_contexts[0]!["thread"] = "t-\ud800"), "context_contexts", "thread"],
];
test.each(unkeepable)(
  "half a surrogate pair in %s rejects the row with code and path, and the others are moved [MI-2]",
  async (_what, spoil, entity, path) => {
    write(spoil);
    const { rejects, applied, verified, plan } = await move();
    const found = rejects[0]!;
    assert.deepEqual([found.entity, found.code, found.path], [entity, "ROW_INVALID", path]);
    assert.ok(plan.contexts.count >= 2);
    assert.equal(applied.changed, plan.contexts.count);
    assert.equal(verified.ok, true);
  },
);

test("an id or key that no store can keep, a number out of range and endless nesting are rejected in the plan [MI-2]", async () => {
  write((tables) => {
    tables.context_contexts[0]!["key"] = "k".repeat(600);
    tables.context_contexts[1]!["key"] = "nul\u0000";
  });
  const deep = `{"id":"deep","context":"x","createdAt":1,"content":${"[".repeat(2_000)}${"]".repeat(2_000)}}`;
  const context = JSON.stringify({ id: "x", createdAt: 1 });
  appendFileSync(join(old(), "context_contexts.jsonl"), `${context}\n`);
  appendFileSync(
    join(old(), "context_events.jsonl"),
    `${deep}\n{"id":"big","context":"x","createdAt":1,"content":{"n":1e999}}\n`,
  );
  const { rejects, verified, plan } = await move();
  const found = rejects.filter(({ code }) => code === "ROW_INVALID").map(({ id, path }) => [id, path]);
  assert.deepEqual(found.slice(-2), [
    ["deep", "content"],
    ["big", "content.n"],
  ]);
  assert.equal(found.filter(([, path]) => path === "key").length, 2);
  assert.deepEqual([plan.contexts.count, verified.ok], [2, true]);
});

test("bytes that are not UTF-8 are noted with their line [MI-2]", async () => {
  const tables = write(() => {});
  const path = join(old(), "context_contexts.jsonl");
  const row = `{"id":"latin","createdAt":1,"content":{"title":"caf\u00e9"}}\n`;
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from(row, "latin1")]));
  const { notes, verified } = await move();
  const line = tables.context_contexts.length + 1;
  assert.deepEqual(
    notes.map(({ id, code, path }) => [id, code, path]),
    [["latin", "TEXT_REPAIRED", `line ${line}`]],
  );
  assert.equal(verified.ok, true);
});

const threads: [what: string, second: string][] = [
  ["their own keys", "b"],
  ["one key", "a"],
];
test.each(threads)("two contexts of one thread with %s are moved as two lines of it [MI-1]", async (_what, second) => {
  const tables = write((tables) => {
    for (const context of tables.context_contexts.slice(0, 2)) context["thread"] = { id: "shared" };
    tables.context_contexts[1]!["key"] = second;
  });
  assert.equal((await cli("plan"))["exit"], 0);
  assert.equal((await cli("apply"))["changed"], 3);
  assert.equal((await cli("apply"))["changed"], 0);
  assert.equal((await cli("verify"))["ok"], true);
  const store = await sqliteStore({ path: join(folder(), "desk.sqlite") });
  const [main, line] = tables.context_contexts.map(({ id }) => String(id));
  const byKey = (await store.load("default", { key: "a" }))!;
  assert.deepEqual([byKey.context.id, byKey.thread.id, byKey.thread.mainContextId], [main, "shared", main]);
  const other = (await store.load("default", { contextId: line! }))!;
  assert.deepEqual([other.thread.id, other.context.provenance?.["key"]], ["shared", second]);
  assert.equal((await store.history("default", line!, { items: 10 })).length, 4);
  await store.close();
});

test("the oldest context that can be moved is the thread's main one, whatever the order of the rows [MI-1]", async () => {
  const tables = write((tables) => {
    for (const context of tables.context_contexts) context["thread"] = "shared";
    tables.context_contexts[0]!["status"] = "open";
    delete tables.context_contexts[0]!["createdAt"];
    tables.context_contexts.reverse();
  });
  const { target, rejects, verified } = await move();
  assert.equal(rejects[0]!.path, "createdAt");
  const { context } = (await target.load("default", { key: "b" }))!;
  assert.equal(context.id, tables.context_contexts[1]!["id"]);
  assert.equal(verified.ok, true);
});

test("a plan that would move nothing exits with 2 and names the missing column and those that are there [MI-4]", async () => {
  writeTables(old(), {
    ...emptyTables(),
    context_contexts: [1, 2, 3].map((number) => ({
      conversation_no: number,
      title: "Order",
      created_at: "2026-01-01",
    })),
  });
  const planned = await cli("plan");
  assert.deepEqual([planned["exit"], planned["code"]], [2, "PLAN_EMPTY"]);
  assert.match(
    String(planned["message"]),
    /3 of context_contexts at `id`.*columns are conversation_no, title, created_at/,
  );
  assert.equal(lines("rejects.jsonl").length, 3);

  write((tables) => {
    for (const context of tables.context_contexts) delete context["createdAt"];
  });
  assert.match(String((await cli("plan"))["message"]), /3 of context_contexts at `createdAt`, e\.g\. it is missing/);

  writeTables(old(), emptyTables());
  assert.match(String((await cli("plan"))["message"]), /There is no conversation in it/);
});
