import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, defineThread } from "@hebra/thread";
import { scriptedReactor } from "@hebra/reactor";
import { memoryStore } from "@hebra/thread/store/memory";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HebraError, type JsonObject } from "@hebra/core";
import { runCaptured } from "@hebra/cli-kit/testing";
import { program } from "../cli/program.ts";
import { planMigration, readPlan } from "../plan/plan.ts";
import { jsonlSource } from "../source/jsonl-source.ts";
import { addDialogue, emptyTables, small, writeTables } from "../story-to-thread/legacy-rows.fixture.ts";
import type { ContextDocument } from "../target/target.ts";
import { verifyMigration } from "../verify/verify.ts";
import { applyPlan } from "./apply.ts";
import { fileJournal, noJournal } from "./journal.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "hebra-migrate-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function source(spoil: (tables: ReturnType<typeof emptyTables>) => void = () => {}, ids = ["a", "b", "c"]) {
  const tables = emptyTables();
  for (const id of ids) addDialogue(tables, { ...small, id });
  spoil(tables);
  writeTables(join(folder, "old"), tables);
  return jsonlSource(join(folder, "old"));
}

/** A command line, run in this process. */
async function cli(...args: string[]): Promise<{ exit: number; out: string; err: string }> {
  const { code, out, err } = await runCaptured(program, [
    ...args,
    "--source",
    join(folder, "old"),
    "--target",
    join(folder, "desk.sqlite"),
    ...(args[0] === "verify" ? [] : ["--out", join(folder, "artifacts")]),
  ]);
  return { exit: code, out, err };
}

describe("a plan", () => {
  it("is the same each time, touches nothing, and counts what will be", async () => {
    const { plan } = await planMigration({ source: source(), target: { name: "memory" } });
    expect((await planMigration({ source: source(), target: { name: "memory" } })).plan).toEqual(plan);
    expect(plan.expected).toEqual({ threads: 3, contexts: 3, items: 12, executions: 6, steps: 9, parts: 9, calls: 3 });
    expect(readPlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
  });

  it("is refused when it was changed by hand, when there is none, and when what it was made of moved", async () => {
    const first = source();
    const { plan } = await planMigration({ source: first, target: { name: "memory" } });
    expect(() => readPlan({ ...plan, tenant: "other" })).toThrowError(expect.objectContaining({ code: "PLAN_DRIFT" }));
    expect(() => readPlan(undefined)).toThrowError(expect.objectContaining({ code: "PLAN_MISSING" }));
    const moved = source((tables) => void (tables.context_events[0]!["channel"] = "email"));
    const store = memoryStore();
    await expect(applyPlan({ plan, source: moved, target: store, journal: noJournal })).rejects.toMatchObject({
      code: "PLAN_DRIFT",
      details: { moved: ["the rows of context_events"] },
    });
    await expect(
      applyPlan({ plan, source: first, target: { ...store, name: "other" }, journal: noJournal }),
    ).rejects.toMatchObject({ code: "PLAN_DRIFT" });
    expect(await store.system().tenants()).toEqual([]);
  });

  it("is refused when the rows moved behind the back of the same source, also while it was carried out", async () => {
    const from = source();
    const store = memoryStore();
    const { plan } = await planMigration({ source: from, target: store });
    source((tables) => void (tables.context_events[0]!["channel"] = "email"));
    await expect(applyPlan({ plan, source: from, target: store, journal: noJournal })).rejects.toMatchObject({
      code: "PLAN_DRIFT",
      message: expect.stringContaining("Nothing was written"),
    });

    const { plan: again } = await planMigration({ source: from, target: store });
    const late = applyPlan({
      plan: again,
      source: from,
      target: store,
      journal: noJournal,
      onProgress: (done) =>
        void (done === 3 && source((tables) => void (tables.context_events[0]!["channel"] = "fax"))),
    });
    await expect(late).rejects.toMatchObject({
      code: "PLAN_DRIFT",
      message: expect.stringContaining("While the plan was carried out"),
    });
  });

  it("rejects the later of two rows with one id, and the later of two contexts with one key", async () => {
    const from = source((tables) => {
      const [context] = tables.context_contexts;
      tables.context_events.push({ ...tables.context_events[0]! });
      tables.context_contexts.push({ ...context!, id: "another" });
    });
    const { rejects } = await planMigration({ source: from, target: { name: "memory" } });
    expect(rejects.filter(({ code }) => code === "ROW_DUPLICATE").map(({ entity, path }) => [entity, path])).toEqual([
      ["context_contexts", "key"],
      ["context_events", "id"],
    ]);
  });

  it("says which rows changed while they were read", async () => {
    const from = source();
    const groups = from.groups()[Symbol.asyncIterator]();
    await groups.next();
    writeFileSync(join(folder, "old", "context_events.jsonl"), "");
    await expect(groups.next()).rejects.toMatchObject({
      code: "SOURCE_INVALID",
      message: expect.stringContaining("context_events"),
    });
    await groups.return?.();
  });
});

describe("apply", () => {
  it("changes nothing the second time, with or without its journal", async () => {
    const from = source();
    const store = memoryStore();
    const { plan } = await planMigration({ source: from, target: store });
    const journal = fileJournal(join(folder, "journal.jsonl"));
    expect(await applyPlan({ plan, source: from, target: store, journal })).toMatchObject({ contexts: 3, changed: 3 });
    expect(await applyPlan({ plan, source: from, target: store, journal })).toMatchObject({
      contexts: 3,
      changed: 0,
      skipped: 3,
    });
    expect(await applyPlan({ plan, source: from, target: store, journal: noJournal })).toMatchObject({
      changed: 0,
      unchanged: 3,
    });
    expect((await verifyMigration({ source: from, target: store })).ok).toBe(true);
  });

  it("goes on where a run was cut off, also when its journal's last line was", async () => {
    const from = source();
    const store = memoryStore();
    const { plan } = await planMigration({ source: from, target: store });
    const path = join(folder, "journal.jsonl");
    let imports = 0;
    const failing = {
      ...store,
      import: (...args: Parameters<typeof store.import>) =>
        ++imports > 2 ? Promise.reject(new Error("power cut")) : store.import(...args),
    };
    await expect(applyPlan({ plan, source: from, target: failing, journal: fileJournal(path) })).rejects.toThrow(
      "power cut",
    );
    writeFileSync(path, readFileSync(path, "utf8").slice(0, -5));
    expect(await applyPlan({ plan, source: from, target: store, journal: fileJournal(path) })).toMatchObject({
      skipped: 1,
      unchanged: 1,
      changed: 1,
    });
    expect((await verifyMigration({ source: from, target: store })).ok).toBe(true);
  });

  it("refuses a context that the new engine wrote, and leaves it as it is", async () => {
    const from = source();
    const store = memoryStore();
    const desk = defineThread({
      name: "desk",
      reactor: scriptedReactor({ steps: [{ text: "Hello." }], repeatLast: true }),
    });
    const engine = createEngine({ store, threads: [desk] });
    const { plan } = await planMigration({ source: from, target: store });
    await applyPlan({ plan, source: from, target: store, journal: noJournal });
    await (
      await engine.react(desk, { id: "new", text: "Hi" }, { address: { key: "a" } })
    ).result;
    await expect(applyPlan({ plan, source: from, target: store, journal: noJournal })).rejects.toMatchObject({
      code: "IMPORT_CONFLICT",
    });
    const verified = await verifyMigration({ source: from, target: store });
    expect(verified).toMatchObject({ ok: true });
    expect(verified.newer).toBeGreaterThan(0);
    await engine.close();
  });
});

describe("verify", () => {
  const spoilers: [string, (row: JsonObject) => void, object][] = [
    ["a field", (row) => void (row["channel"] = "fax"), { kind: "field", table: "items", field: "channel" }],
    ["a link", (row) => void (row["executionId"] = null), { kind: "link", table: "items", field: "executionId" }],
    ["an order", (row) => void (row["seq"] = 9), { kind: "order", table: "items", field: "seq" }],
  ];
  it.each(spoilers)("finds %s that differs, and the digest says so too", async (_what, spoil, expected) => {
    const from = source(undefined, ["a"]);
    const store = memoryStore();
    const { plan } = await planMigration({ source: from, target: store });
    await applyPlan({ plan, source: from, target: store, journal: noJournal });
    const target = {
      ...store,
      async export(tenant: string, contextId: string) {
        const bundle = await store.export(tenant, contextId);
        spoil(bundle!.items[1] as unknown as JsonObject);
        return bundle;
      },
    };
    const found = await verifyMigration({ source: from, target });
    expect(found.differences).toMatchObject([expected]);
    expect(found.digest).not.toBe(plan.contexts.digest);
    expect((await verifyMigration({ source: from, target: store })).digest).toBe(plan.contexts.digest);
  });

  const damages: [string, (bundle: ContextDocument) => void, object][] = [
    [
      "a row too many",
      (bundle) => void bundle.items.push({ ...bundle.items[0], id: "another" }),
      { kind: "count", table: "items", expected: 4, found: 5 },
    ],
    [
      "another row in its place",
      (bundle) => void (bundle.parts[0] = { ...bundle.parts[0], id: "another" }),
      { kind: "row", table: "parts" },
    ],
    [
      "a trigger that would run again",
      (bundle) => void bundle.triggers!.pop(),
      { kind: "count", table: "triggers", expected: 2, found: 1 },
    ],
    [
      "a trigger of another execution",
      (bundle) => void ((bundle.triggers![0] as JsonObject)["executionId"] = "x"),
      { kind: "link", table: "triggers", field: "executionId" },
    ],
    [
      "a call's output",
      (bundle) => void ((bundle.calls[0] as JsonObject)["output"] = { more: 1 }),
      { kind: "field", table: "calls", field: "output" },
    ],
    [
      "a damaged context",
      () => {
        throw new TypeError("Cannot read properties of undefined");
      },
      { kind: "unreadable", table: "contexts" },
    ],
    [
      "a context whose thread is gone",
      () => {
        throw new HebraError("INTERNAL", "The thread's row is not there.");
      },
      { kind: "unreadable", table: "contexts" },
    ],
  ];
  it.each(damages)("finds %s", async (_what, damage, expected) => {
    const from = source(undefined, ["a"]);
    const store = memoryStore();
    const { plan } = await planMigration({ source: from, target: store });
    await applyPlan({ plan, source: from, target: store, journal: noJournal });
    const target = {
      ...store,
      async export(tenant: string, contextId: string) {
        const bundle = structuredClone(await store.export(tenant, contextId)) as ContextDocument;
        damage(bundle);
        return bundle;
      },
    };
    const found = await verifyMigration({ source: from, target });
    expect(found).toMatchObject({ ok: false, differences: [expected] });
    expect(found.digest).not.toBe(plan.contexts.digest);
  });

  it("does not take a target that cannot be reached for a difference", async () => {
    const target = {
      ...memoryStore(),
      export: () => Promise.reject(new HebraError("STORE_FAILED", "The database is away.")),
    };
    await expect(verifyMigration({ source: source(undefined, ["a"]), target })).rejects.toMatchObject({
      code: "STORE_FAILED",
    });
  });

  it("finds a row and a context that are missing", async () => {
    const from = source(undefined, ["a"]);
    const store = memoryStore();
    expect((await verifyMigration({ source: from, target: store })).differences).toMatchObject([{ kind: "missing" }]);
    const { plan } = await planMigration({ source: from, target: store });
    await applyPlan({ plan, source: from, target: store, journal: noJournal });
    const target = {
      ...store,
      export: async (tenant: string, id: string) => {
        const bundle = await store.export(tenant, id);
        bundle!.parts.pop();
        return bundle;
      },
    };
    expect((await verifyMigration({ source: from, target })).differences).toMatchObject([
      { kind: "count", table: "parts", expected: 3, found: 2 },
    ]);
  });
});

describe("the command line", () => {
  it("plans, applies and verifies into a SQLite file", async () => {
    source();
    const planned = await cli("plan", "--json");
    expect(planned).toMatchObject({ exit: 0, err: "" });
    expect(JSON.parse(planned.out)).toMatchObject({ ok: true, contexts: { count: 3 } });
    expect(await cli("verify")).toMatchObject({ exit: 2, err: expect.stringContaining("nothing was moved there yet") });
    expect(existsSync(join(folder, "desk.sqlite"))).toBe(false);
    expect(await cli("apply", "--tenant", "other")).toMatchObject({
      exit: 4,
      err: expect.stringContaining("for the tenant default, not for other"),
    });
    expect(JSON.parse((await cli("apply", "--json")).out)).toMatchObject({ ok: true, changed: 3, rejects: 0 });
    expect(JSON.parse((await cli("apply", "--json")).out)).toMatchObject({ changed: 0 });
    expect(await cli("verify")).toMatchObject({
      exit: 0,
      out: expect.stringContaining("3 conversations are as the source calls for"),
    });
  });

  it("puts a broken row into the rejects file with its code, and stops before it writes unless that is allowed", async () => {
    source((tables) => void delete tables.context_events[0]!["createdAt"]);
    await cli("plan");
    const rejects = readFileSync(join(folder, "artifacts/rejects.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as JsonObject);
    // The event, and the execution, steps and parts that hang on it.
    expect(rejects[0]).toMatchObject({ entity: "context_events", code: "ROW_INVALID", path: "createdAt" });
    expect(await cli("apply")).toMatchObject({ exit: 7, err: expect.stringContaining("Nothing was written") });
    expect(await cli("verify")).toMatchObject({ exit: 5, err: expect.stringContaining("VERIFY_MISMATCH: ") });
    expect(await cli("apply", "--max-rejects", String(rejects.length))).toMatchObject({ exit: 0 });
    expect(await cli("verify")).toMatchObject({ exit: 0 });
  });

  it("says what is wrong, and what was meant", async () => {
    source();
    expect(await cli("apply")).toMatchObject({ exit: 2, err: expect.stringContaining("hebra-migrate plan") });
    const run = async (...args: string[]) => {
      const { code, out, err } = await runCaptured(program, args);
      return { exit: code, text: out + err };
    };
    expect(await run("aply")).toMatchObject({
      exit: 2,
      text: expect.stringContaining("Did you mean `hebra-migrate apply`?"),
    });
    expect(await run("plan", "--sorce", "x")).toMatchObject({ exit: 2, text: expect.stringContaining("--source") });
    expect(await run("apply", "--max-rejects", "-1")).toMatchObject({
      exit: 2,
      text: expect.stringContaining("--max-rejects needs a value"),
    });
    expect(await run("plan", "more", "--source", "x")).toMatchObject({
      exit: 2,
      text: expect.stringContaining("more"),
    });
    writeFileSync(join(folder, "text.sqlite"), "this is no database, and it is long enough to be looked at as one");
    expect(await run("verify", "--source", join(folder, "old"), "--target", join(folder, "text.sqlite"))).toMatchObject(
      { exit: 1, text: expect.stringMatching(/STORE_FAILED: .*\(.*not a database.*\)/) },
    );
    expect(await run("plan", "--target", "x")).toMatchObject({
      exit: 2,
      text: expect.stringContaining("--source is missing"),
    });
    expect(await run("plan", "--source", join(folder, "nowhere"), "--target", "x")).toMatchObject({
      exit: 2,
      text: expect.stringContaining("context_contexts.jsonl"),
    });
    expect(await run("verify", "--help")).toMatchObject({ exit: 0, text: expect.stringContaining("Example:") });
    expect(await run("--help")).toMatchObject({ exit: 0, text: expect.stringContaining("plan, read the plan") });
  });
});
