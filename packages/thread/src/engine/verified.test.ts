import { expect, it } from "vitest";
import { memoryStore } from "../store/memory.ts";
import type { Changes, ThreadStore } from "../store/store.ts";
import { action, scripted, setUp } from "./engine.fixture.ts";

/** A store that says that it wrote everything, and leaves rows of one kind out. */
function forgetful(forgets: "steps" | "parts" | "calls"): ThreadStore {
  const store = memoryStore();
  return {
    ...store,
    commit: (tenant, contextId, guard, changes: Changes) =>
      store.commit(tenant, contextId, guard, { ...changes, [forgets]: [] }),
  };
}

const withCall = () =>
  scripted([{ text: "One moment.", actions: [{ name: "find", input: { n: 1 } }] }, { text: "Here it is." }], {
    actions: { find: action(({ n }) => ({ found: n })) },
  });

it("a turn whose rows are all stored is verified [FL-1]", async () => {
  const definition = withCall();
  const { engine, address } = setUp(definition);
  const turn = await engine.react(definition, { id: "m1", text: "Hi" }, { address });
  expect(await turn.verified).toBe(true);
});

it.each(["steps", "parts", "calls"] as const)(
  "a turn of which the store has lost %s is not [FL-1]",
  async (forgets) => {
    const definition = withCall();
    const { engine, address } = setUp(definition, { store: forgetful(forgets) });
    const turn = await engine.react(definition, { id: "m1", text: "Hi" }, { address });
    expect(await turn.verified).toBe(false);
  },
);

it("of a turn that waits for a person nothing is said", async () => {
  const definition = scripted([{ actions: [{ name: "pay", input: {} }] }], {
    actions: { pay: action(() => ({}), { approval: true }) },
  });
  const { engine, address } = setUp(definition);
  const turn = await engine.react(definition, { id: "m1", text: "Pay" }, { address });
  expect((await turn.result).status).toBe("waiting");
  expect(await turn.verified).toBeUndefined();
});
