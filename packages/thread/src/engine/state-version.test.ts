import { expect, it } from "vitest";
import * as z from "zod";
import { withState } from "../definition/define-action.ts";
import { memoryStore } from "../store/memory.ts";
import { action, expectSettled, scripted, setUp } from "./engine.fixture.ts";

const say = { address: { key: "customer-7" } };

it("a state document of an older form is brought up once, and kept in the new form with its version", async () => {
  const store = memoryStore();
  const before = scripted([{ actions: [{ name: "count", input: {} }] }, { text: "1" }], {
    actions: { count: action(() => withState("ok", { count: "1" })) },
  });
  const first = setUp(before, { store });
  await (
    await first.engine.react(before, { id: "a", text: "a" }, say)
  ).result;
  await first.engine.idle();
  expect((await store.load("default", say.address))!.context).toMatchObject({ state: { count: "1" }, stateVersion: 1 });

  const migrated: unknown[] = [];
  const shown: unknown[] = [];
  const after = scripted([{ actions: [{ name: "count", input: {} }] }, { text: "2" }], {
    state: z.object({ count: z.number() }),
    initialState: { count: 0 },
    stateVersion: 2,
    migrateState: (state, from) => {
      migrated.push([from, state]);
      return { count: Number((state as { count: string }).count) };
    },
    actions: {
      count: action((_input, { state }) => {
        shown.push(state);
        return withState("ok", { count: (state as { count: number }).count + 1 });
      }),
    },
  });
  const second = setUp(after, { store });
  for (const id of ["b", "c"]) {
    await (
      await second.engine.react(after, { id, text: id }, say)
    ).result;
    await second.engine.idle();
  }
  expect(shown).toEqual([{ count: 1 }, { count: 2 }]);
  expect((await store.load("default", say.address))!.context).toMatchObject({ state: { count: 3 }, stateVersion: 2 });
  // Whatever was read before the first write of the new form was of version 1, and nothing after it.
  expect(new Set(migrated.map((one) => JSON.stringify(one)))).toEqual(new Set(['[1,{"count":"1"}]']));
  await expectSettled(store);
});
