import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCaptured } from "@hebra/cli-kit/testing";
import type { JsonObject } from "@hebra/core";
import { memoryStore } from "@hebra/thread/store/memory";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { test } from "vitest";
import { program } from "../cli/program.ts";
import { planMigration } from "../plan/plan.ts";
import { applyPlan } from "../run/apply.ts";
import { noJournal } from "../run/journal.ts";
import { wholeRun } from "../run/whole-run.fixture.ts";
import { memorySource } from "../source/memory-source.ts";
import { verifyMigration } from "../verify/verify.ts";
import { defineMapping, type ThreadMapping } from "./mapping.ts";
import { shopMapping, shopTables } from "./shop.fixture.ts";

const { folder } = wholeRun();

async function move(tables: Record<string, JsonObject[]>, given: ThreadMapping) {
  const mapping = defineMapping(given);
  const source = memorySource(tables);
  const target = memoryStore();
  const planned = await planMigration({ source, mapping, target });
  const { plan, rejects } = planned;
  const applied = await applyPlan({
    plan,
    source,
    mapping,
    target,
    journal: noJournal,
    maxRejects: rejects.length,
  });
  return { ...planned, target, applied, verified: await verifyMigration({ source, mapping, target }) };
}

async function cli(command: string, ...args: string[]) {
  const { code, out } = await runCaptured(program, [command, "--json", ...args]);
  return { exit: code, ...(JSON.parse(out) as JsonObject) } as Record<string, unknown>;
}

const options = () => [
  ...["--source", join(folder(), "shop"), "--mapping", join(folder(), "mapping.json")],
  ...["--target", join(folder(), "desk.sqlite")],
];
const out = () => ["--out", join(folder(), "artifacts")];

function writeShop(tables: Record<string, JsonObject[]>, mapping: object = shopMapping): void {
  mkdirSync(join(folder(), "shop"), { recursive: true });
  for (const [name, rows] of Object.entries(tables))
    writeFileSync(join(folder(), "shop", `${name}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  writeFileSync(join(folder(), "mapping.json"), JSON.stringify(mapping));
}

test("500 conversations in tables of one's own, with numeric ids and tool calls as JSON, are moved by a mapping file [MI-4]", async () => {
  writeShop(shopTables(500));
  const planned = await cli("plan", ...options(), ...out());
  assert.deepEqual(
    [planned["exit"], (planned["contexts"] as JsonObject)["count"], (planned["rejects"] as JsonObject)["count"]],
    [0, 500, 0],
  );
  assert.equal((await cli("apply", ...options(), ...out()))["changed"], 500);
  assert.equal((await cli("apply", ...options(), ...out()))["changed"], 0);
  assert.equal((await cli("verify", ...options()))["ok"], true);

  const store = await sqliteStore({ path: join(folder(), "desk.sqlite") });
  const { context, thread } = (await store.load("default", { key: "7" }))!;
  assert.equal(thread.name, "Order 7");
  const history = await store.history("default", context.id, { items: 10 });
  assert.deepEqual(
    history.map(({ item }) => [item.role, item.content]),
    [
      ["user", [{ kind: "text", text: "Where is my order?", step: 0 }]],
      [
        "assistant",
        [
          {
            kind: "action",
            callId: "c1",
            name: "find_order",
            input: { order: 7 },
            status: "succeeded",
            output: { status: "shipped" },
            step: 0,
          },
          { kind: "text", text: "On its way.", step: 1 },
        ],
      ],
      ["user", [{ kind: "text", text: "Thanks.", step: 0 }]],
      ["assistant", [{ kind: "text", text: "You are welcome.", step: 0 }]],
    ],
  );
  await store.close();
});

test("no row is dropped: each that does not map is among the rejects with its id, code and path [MI-4]", async () => {
  const tables = shopTables(3);
  const [first, second] = tables.messages;
  first!["author"] = "robot";
  second!["sent_at"] = "yesterday";
  tables.messages[4]!["conversation_no"] = 99;
  tables.messages[5]!["tool_calls"] = "not a list";
  tables.messages.push({ ...tables.messages[6]! });
  tables.conversations.push({ ...tables.conversations[2]! }, { subject: "no number" });
  const { rejects, plan, verified } = await move(tables, shopMapping);
  assert.deepEqual(
    rejects.map(({ entity, id, code, path }) => [entity, id, code, path]),
    [
      ["conversations", "3", "ROW_DUPLICATE", "no"],
      ["conversations", null, "ROW_INVALID", "no"],
      ["messages", "21", "ROW_ORPHANED", "conversation_no"],
      ["messages", "11", "ROW_INVALID", "author"],
      ["messages", "12", "ROW_INVALID", "sent_at"],
      ["messages", "22", "ROW_INVALID", "tool_calls"],
      ["messages", "23", "ROW_DUPLICATE", "no"],
    ],
  );
  const rows = tables.conversations.length + tables.messages.length;
  assert.equal(plan.expected["contexts"]! + plan.expected["items"]! + rejects.length, rows);
  assert.equal(verified.ok, true);
});

test("a mapping that names columns which are not there exits with 2 and names them and those that are [MI-4]", async () => {
  writeShop(shopTables(2), { ...shopMapping, conversation: { from: "conversations", id: "id" } });
  const planned = await cli("plan", ...options(), ...out());
  assert.deepEqual([planned["exit"], planned["code"]], [2, "PLAN_EMPTY"]);
  assert.match(String(planned["message"]), /2 of conversations at `id`.*its columns are no, subject, opened_at/);
  assert.match(readFileSync(join(folder(), "artifacts/rejects.jsonl"), "utf8"), /"ROW_ORPHANED"/);

  writeShop(shopTables(2), { ...shopMapping, conversations: {} });
  const wrong = await cli("plan", ...options(), ...out());
  assert.deepEqual([wrong["exit"], wrong["code"]], [2, "MAPPING_INVALID"]);
  assert.match(String(wrong["message"]), /conversations/);
});

test("a plan of one mapping is drift for another, and for rows that moved [MI-4]", async () => {
  writeShop(shopTables(2));
  await cli("plan", ...options(), ...out());
  writeShop(shopTables(2), { ...shopMapping, version: 2 });
  assert.equal((await cli("apply", ...options(), ...out()))["exit"], 4);
  writeShop(shopTables(3));
  assert.equal((await cli("apply", ...options(), ...out()))["exit"], 4);
});

test("ids and times that are missing are derived when the mapping says so, the same each time [MI-4]", async () => {
  const tables = { chats: [{ name: "a" }, { name: "b" }], lines: [] as JsonObject[] };
  for (const chat of tables.chats)
    for (const text of ["Hello", "Hi", "Bye"]) tables.lines.push({ chat: chat.name, who: "user", text });
  const mapping: ThreadMapping = {
    from: "notes",
    to: "thread",
    conversation: { from: "chats", id: "name" },
    messages: { from: "lines", conversation: "chat", role: "who", content: "text" },
    onMissing: { id: "derive", createdAt: "derive" },
  };
  const { target, plan, verified } = await move(tables, mapping);
  assert.deepEqual([plan.expected["items"], plan.rejects.count, verified.ok], [6, 0, true]);
  assert.equal((await move(tables, mapping)).plan.hash, plan.hash);
  const { context } = (await target.load("default", { key: "b" }))!;
  const history = await target.history("default", context.id, { items: 10 });
  assert.deepEqual(
    history.map(({ item }) => (item.content[0] as { text: string }).text),
    ["Hello", "Hi", "Bye"],
  );
  assert.match(history[0]!.item.id, /^[0-9a-f]{8}-[0-9a-f]{4}-5/);
  const strict = await move(tables, { ...mapping, onMissing: {} });
  assert.deepEqual([strict.plan.expected["items"], strict.rejects.length], [0, 6]);
});

test("a table of tool calls hangs on its messages, and a call without a result stays open to question [MI-4]", async () => {
  const tables: Record<string, JsonObject[]> = { ...shopTables(1) };
  tables["calls"] = [
    { message: 12, no: 5, tool: "pay", args: { sum: 3 }, failure: "card refused" },
    { message: 12, no: 6, tool: "mail", args: {} },
    { message: 77, no: 7, tool: "mail", args: {} },
  ];
  const { target, rejects } = await move(tables, {
    ...shopMapping,
    toolCalls: { from: "calls", message: "message", id: "no", name: "tool", input: "args", error: "failure" },
  });
  assert.deepEqual(
    rejects.map(({ entity, code, path }) => [entity, code, path]),
    [["calls", "ROW_ORPHANED", "message"]],
  );
  const { context } = (await target.load("default", { key: "1" }))!;
  const [, answer] = await target.history("default", context.id, { items: 10 });
  const calls = answer!.item.content.filter((part) => part.kind === "action");
  assert.deepEqual(
    calls.map(({ callId, status, error }) => [callId, status, error?.slice(0, 27)]),
    [
      ["5", "failed", "card refused"],
      ["6", "failed", "The call was never settled "],
    ],
  );
});

test("the later of two conversations with one key is rejected with its messages [MI-4]", async () => {
  const tables = shopTables(2);
  for (const row of tables.conversations) row["code"] = "same";
  const { rejects, plan, verified } = await move(tables, {
    ...shopMapping,
    conversation: { ...shopMapping.conversation, key: "code" },
  });
  assert.deepEqual(
    rejects.map(({ entity, id, code, path }) => [entity, id, code, path]),
    [
      ["conversations", "2", "ROW_DUPLICATE", "code"],
      ...[21, 22, 23, 24].map((id) => ["messages", String(id), "ROW_ORPHANED", "conversation_no"]),
    ],
  );
  assert.deepEqual([plan.contexts.count, plan.expected["items"], verified.ok], [1, 4, true]);
});

test("the calls of a message that is rejected are rejected with it [MI-4]", async () => {
  const tables: Record<string, JsonObject[]> = { ...shopTables(1) };
  tables["calls"] = [{ message: 12, no: 5, tool: "pay", args: {} }];
  tables["messages"]![1]!["author"] = "robot";
  const { rejects } = await move(tables, {
    ...shopMapping,
    toolCalls: { from: "calls", message: "message", id: "no", name: "tool", input: "args" },
  });
  assert.deepEqual(
    rejects.map(({ entity, id, code, path }) => [entity, id, code, path]),
    [
      ["messages", "12", "ROW_INVALID", "author"],
      ["calls", "5", "ROW_ORPHANED", "message"],
    ],
  );
});
