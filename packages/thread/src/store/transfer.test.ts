import assert from "node:assert/strict";
import { describe, expect, it } from "vitest";
import {
  approvalRow,
  beginQueued,
  beginRunning,
  callRow,
  ending,
  importedBundle,
  outboxRow,
  playTurn,
  T0,
  turnIds,
} from "./contract/rows.ts";
import { rejects } from "./contract/scenario.ts";
import { memoryStore } from "./memory.ts";
import { sqliteStore } from "./sqlite.ts";
import type { ThreadStore } from "./store.ts";
import { exportJsonLines, importJsonLines } from "./transfer.ts";

async function filled(): Promise<ThreadStore> {
  const store = memoryStore();
  for (const tenant of ["acme", "zeta"]) {
    for (let i = 0; i < 5; i++) await playTurn(store, tenant, turnIds(`k${i}`, "m1"), 0, 3, `answer \u0000 ${i}`);
    await store.import(tenant, importedBundle("old", 3));
    const ids = turnIds("busy", "m1");
    await store.begin(tenant, beginRunning(tenant, ids, { fence: 2 ** 52, expectedSeq: 0 }));
    const changes = {
      ...ending(tenant, ids, 2, 2),
      calls: [callRow(ids, 0, { status: "awaiting_approval" })],
      approvals: [approvalRow(ids, 0)],
      outbox: [outboxRow(ids, 0)],
    };
    await store.commit(tenant, ids.contextId, { fence: 2 ** 52, expectedSeq: 2 }, changes);
    await store.begin(tenant, beginQueued(turnIds("busy", "m2")));
    await store.requestCancel(tenant, turnIds("busy", "m2").executionId, { at: T0 });
  }
  return store;
}

async function linesOf(store: ThreadStore, options?: Parameters<typeof exportJsonLines>[1]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportJsonLines(store, options)) lines.push(line);
  return lines;
}

describe("JSON lines", () => {
  it("carry everything from one store to another and back, line for line", async () => {
    const source = await filled();
    const lines = await linesOf(source);
    const middle = await sqliteStore({ path: ":memory:" });
    const report = await importJsonLines(middle, lines);
    expect(report).toMatchObject({
      contexts: 14,
      unchanged: 0,
      counts: { contexts: 14, approvals: 2, outbox: 2, executions: 20 },
    });
    const last = memoryStore();
    const between = await linesOf(middle);
    expect(await importJsonLines(last, between)).toEqual(report);
    assert.ok((await linesOf(last)).join("\n") === between.join("\n"));
    assert.ok(between.join("\n") === lines.join("\n"));
    await middle.close();
  });

  it("change nothing the second time", async () => {
    const lines = await linesOf(await filled());
    const store = memoryStore();
    await importJsonLines(store, lines);
    expect(await importJsonLines(store, lines)).toMatchObject({ contexts: 14, unchanged: 14 });
  });

  it("go on after a break, on both sides", async () => {
    const source = await filled();
    const lines = await linesOf(source);
    const store = memoryStore();
    let done = { tenant: "", contextId: "" };
    let count = 0;
    const breaking = importJsonLines(store, lines, {
      onContext: (at) => {
        done = at;
        if (++count === 6) throw new Error("power cut");
      },
    });
    await expect(breaking).rejects.toThrow("power cut");
    expect(await importJsonLines(store, lines, { after: done })).toMatchObject({ contexts: 14, unchanged: 6 });
    assert.ok((await linesOf(store)).join("\n") === lines.join("\n"));
    const rest = await linesOf(source, { after: done });
    assert.ok(rest.slice(1, -1).join("\n") === lines.slice(7, -1).join("\n"));
    expect(await importJsonLines(store, rest)).toMatchObject({ contexts: 8, unchanged: 8 });
  });

  it("are one tenant's when asked", async () => {
    const lines = await linesOf(await filled(), { tenant: "zeta" });
    expect(lines).toHaveLength(9);
    expect(lines.slice(1, -1).every((line) => (JSON.parse(line) as { tenant: string }).tenant === "zeta")).toBe(true);
  });

  it("refuse damage wherever it is", async () => {
    const lines = await linesOf(await filled());
    const damaged: Record<string, string[]> = {
      "a changed word": lines.map((line, i) => (i === 3 ? line.replace("answer", "answen") : line)),
      "a missing context": lines.toSpliced(4, 1),
      "a doubled context": lines.toSpliced(4, 0, lines[4]!),
      "two contexts swapped": lines.toSpliced(4, 2, lines[5]!, lines[4]!),
      "a cut end": lines.slice(0, -1),
      "a cut line": lines.map((line, i) => (i === 5 ? line.slice(0, 100) : line)),
      "no header": lines.slice(1),
      "something after the end": [...lines, lines[2]!],
      nothing: [],
    };
    for (const [what, given] of Object.entries(damaged)) {
      const error = await rejects(importJsonLines(memoryStore(), given), "DIGEST_MISMATCH");
      assert.ok(error.message.length > 0, what);
    }
    await rejects(importJsonLines(memoryStore(), [JSON.stringify({ hebra: "threads", v: 99 })]), "SCHEMA_TOO_NEW");
  });

  it("notice a store that does not keep what it was given", async () => {
    const lines = await linesOf(await filled());
    const store = memoryStore();
    const forgetful: ThreadStore = {
      ...store,
      export: async (tenant, id) => ({ ...(await store.export(tenant, id))!, parts: [] }),
    };
    await rejects(importJsonLines(forgetful, lines), "DIGEST_MISMATCH");
  });
});
