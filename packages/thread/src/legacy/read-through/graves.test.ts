import { expect, it } from "vitest";
import { scripted, setUp } from "../../engine/engine.fixture.ts";
import { memoryStore } from "../../store/memory.ts";
import { legacyStore } from "./legacy-store.ts";
import { memoryReader } from "./memory-reader.ts";
import { storyRows } from "./story-rows.fixture.ts";
import { migrationMapping } from "./to-bundle.fixture.ts";

const tenant = "default";
const ref = { key: "customer-c" };

async function opened() {
  const toBundle = await migrationMapping();
  const inner = memoryStore();
  const open = () => legacyStore({ store: inner, legacy: memoryReader(storyRows("c", 3)), toBundle });
  return { open, store: open() };
}

it("a conversation of the old engine that was deleted does not come back through any verb, nor in another process", async () => {
  const { open, store } = await opened();
  expect((await store.load(tenant, ref))?.context.id).toBe("c");
  expect(await store.deleteThread(tenant, ref)).toMatchObject({ key: "customer-c" });
  for (const each of [store, open()]) {
    expect(await each.load(tenant, ref)).toBeUndefined();
    expect(await each.load(tenant, { contextId: "c" })).toBeUndefined();
    expect(await each.execution(tenant, "c-run")).toBeUndefined();
    expect(await each.history(tenant, "c", { items: 10 }).catch(() => [])).toEqual([]);
    expect(await each.export(tenant, "c")).toBeUndefined();
    expect((await each.list(tenant)).rows).toEqual([]);
    expect(await each.deleteThread(tenant, ref)).toBeUndefined();
  }
});

it("nor does one that a turn has brought in, and its address can be used anew", async () => {
  const { store } = await opened();
  const definition = scripted([{ text: "Hello." }]);
  const { engine } = setUp(definition, { store });
  await (
    await engine.react(definition, { id: "m1", text: "hi" }, { address: ref })
  ).result;
  await engine.idle();
  expect((await engine.history(ref)).length).toBeGreaterThan(2);
  expect((await store.deleteThread(tenant, ref))?.contextIds).toEqual(["c"]);
  expect(await store.load(tenant, ref)).toBeUndefined();
  await (
    await engine.react(definition, { id: "m1", text: "hi" }, { address: ref })
  ).result;
  expect(await engine.history(ref)).toHaveLength(2);
  await engine.close();
});
