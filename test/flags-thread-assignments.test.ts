import assert from "node:assert/strict";
import { threadAssignments } from "@hebra/flags";
import { scriptedReactor } from "@hebra/reactor";
import { createEngine, defineThread } from "@hebra/thread";
import { memoryStore } from "@hebra/thread/store/memory";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { test } from "vitest";

/** A conversation that was moved from the old engine: every row says where it came from. */
async function moved(from: ReturnType<typeof memoryStore>, key: string) {
  const snapshot = await from.load("default", { key });
  const bundle = (await from.export("default", snapshot!.context.id))!;
  const provenance = { source: "story" };
  const mark = <T extends object>(rows: readonly T[]) => rows.map((row) => ({ ...row, provenance }));
  return {
    thread: { ...bundle.thread, provenance },
    context: { ...bundle.context, provenance },
    items: mark(bundle.items),
    executions: mark(bundle.executions),
    steps: mark(bundle.steps),
    parts: mark(bundle.parts),
    calls: mark(bundle.calls),
  };
}

for (const [name, open] of [
  ["memory", () => Promise.resolve(memoryStore())],
  ["sqlite", () => sqliteStore({ path: ":memory:" })],
] as const) {
  test(`assignments are told by a real thread store: ${name}`, async () => {
    const definition = defineThread({
      name: "desk",
      reactor: scriptedReactor({ steps: [{ text: "Hello." }], repeatLast: true }),
      compaction: { everyItems: 2, summarize: () => "They said hello." },
    });
    const elsewhere = memoryStore();
    const before = createEngine({ store: elsewhere, threads: [definition] });
    await (
      await before.react(definition, { id: "m0", text: "Hi" }, { address: { key: "s1" } })
    ).result;
    await before.idle();

    const store = await open();
    const mode = async () => (await threadAssignments({ store }).read("engine", "s1"))?.mode;
    assert.equal(await mode(), undefined, "a session that nobody knows");
    await store.import("default", await moved(elsewhere, "s1"));
    assert.equal(await mode(), undefined, "moved, and not yet served by the new engine");
    const engine = createEngine({ store, threads: [definition] });
    await (
      await engine.react(definition, { id: "m1", text: "Hi again" }, { address: { key: "s1" } })
    ).result;
    await engine.idle();
    assert.equal((await engine.history({ key: "s1" })).at(-1)?.item.kind, "summary");
    assert.equal(await mode(), "new", "served by the new engine, also where a summary stands last");
    await engine.close();
    await store.close();
    await before.close();
  });
}
