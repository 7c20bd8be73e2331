import { deriveId } from "@hebra/core";
import { expect, it } from "vitest";
import * as z from "zod";
import { withState } from "../definition/define-action.ts";
import type { ContextBundle } from "../store/store.ts";
import { memoryStore } from "../store/memory.ts";
import { action, expectSettled, scripted, setUp } from "./engine.fixture.ts";
import { replay } from "./replay.ts";

/** Every turn adds one to the count in the state, and answers with it. */
const counting = (over: Parameters<typeof scripted>[1] = {}) =>
  scripted(
    [
      { actions: [{ name: "count", input: {} }] },
      (input) => ({ text: `Now ${JSON.stringify(input.transcript.at(-1)?.parts.at(-1))}` }),
    ],
    {
      state: z.object({ count: z.number() }),
      initialState: { count: 0 },
      actions: {
        count: action((_input, { state }) =>
          withState((state as { count: number }).count + 1, { count: (state as { count: number }).count + 1 }),
        ),
      },
      ...over,
    },
  );

it("a fork goes on from an item with the state as it was then, and both lines go their ways", async () => {
  const { store, engine, address } = setUp(counting());
  const turns = [];
  for (const id of ["m1", "m2", "m3"]) {
    const turn = await engine.react("test", { id, text: id }, { address });
    await turn.result;
    turns.push(turn);
  }
  expect((await engine.context(address)).state).toEqual({ count: 3 });

  const after = await engine.fork(address, { atItemId: turns[0]!.reactionItemId, id: "after-one" });
  expect(after).toMatchObject({ state: { count: 1 }, parentContextId: turns[0]!.contextId });
  const before = await engine.fork(address, { atItemId: turns[2]!.triggerItemId });
  expect(before.state).toEqual({ count: 2 });

  // The fork runs: it hears what it shares and nothing else, and changes its own state alone.
  const forked = await engine.react(
    "test",
    { id: "m2", text: "Another second." },
    { address: { contextId: after.id } },
  );
  expect((await forked.result).status).toBe("completed");
  expect((await engine.context({ contextId: after.id })).state).toEqual({ count: 2 });
  expect((await engine.context(address)).state).toEqual({ count: 3 });

  const { sharedUpTo, left, right } = await engine.compare(address, { contextId: after.id });
  expect(sharedUpTo).toBe(turns[0]!.reactionItemId);
  expect(left.items.map(({ item }) => item.id)).toEqual(
    turns.slice(1).flatMap(({ triggerItemId, reactionItemId }) => [triggerItemId, reactionItemId]),
  );
  expect(right.items.map(({ item }) => item.id)).toEqual([forked.triggerItemId, forked.reactionItemId]);
  expect([left.state, right.state]).toEqual([{ count: 3 }, { count: 2 }]);

  // A fork of the fork, at an item of its own.
  const second = await engine.fork({ contextId: after.id }, { atItemId: forked.triggerItemId });
  expect(second.state).toEqual({ count: 1 });
  const again = await engine.fork(address, { atItemId: turns[0]!.reactionItemId, id: "after-one" });
  expect(again.state).toEqual({ count: 2 });
  await expectSettled(store);
  await engine.close();
});

it("a fork begins with the first state, however the thread has gone on since", async () => {
  const { engine, address } = setUp(counting());
  const first = await engine.react("test", { id: "m1", text: "One." }, { address });
  await first.result;
  await (
    await engine.react("test", { id: "m2", text: "Two." }, { address })
  ).result;
  expect((await engine.fork(address, { atItemId: first.triggerItemId })).state).toEqual({ count: 0 });
  await expect(engine.fork(address, { atItemId: "nothing" })).rejects.toMatchObject({ code: "ITEM_NOT_FOUND" });
  await engine.close();
});

it("the same turn in a fork, with another definition, shows what that changes", async () => {
  const store = memoryStore();
  const { engine: recorded, address } = setUp(counting(), { store });
  const first = await recorded.react("test", { id: "m1", text: "One." }, { address });
  await first.result;
  await (
    await recorded.react("test", { id: "m2", text: "Two." }, { address })
  ).result;
  await recorded.close();

  const { engine } = setUp(counting({ actions: { count: action(() => withState(100, { count: 100 })) } }), { store });
  const fork = await engine.fork(address, { atItemId: first.reactionItemId });
  await (
    await engine.react("test", { id: "m2", text: "Two." }, { address: { contextId: fork.id } })
  ).result;
  const { left, right } = await engine.compare(address, { contextId: fork.id });
  const outputs = (side: typeof left) =>
    side.items.flatMap(({ parts }) =>
      parts.flatMap(({ content }) => (content.kind === "action" ? [content.output] : [])),
    );
  expect([outputs(left), outputs(right)]).toEqual([[2], [100]]);
  expect([left.state, right.state]).toEqual([{ count: 2 }, { count: 100 }]);
  await engine.close();
});

it("a conversation that was brought in forks with the state that it came with", async () => {
  const { store: old, engine: first, address } = setUp(counting());
  const turn = await first.react("test", { id: "m1", text: "One." }, { address });
  await turn.result;
  await first.close();
  const { journal: _journal, ...bundle } = (await old.export("default", turn.contextId))!;
  const provenance = { source: "elsewhere" };
  const imported = Object.fromEntries(
    Object.entries(bundle).map(([table, rows]) => [
      table,
      table === "triggers"
        ? rows
        : Array.isArray(rows)
          ? rows.map((row: object) => ({ ...row, provenance }))
          : { ...rows, provenance },
    ]),
  ) as unknown as ContextBundle;
  const { store, engine } = setUp(counting());
  await store.import("default", imported);
  await (
    await engine.react("test", { id: "m2", text: "Two." }, { address })
  ).result;
  expect((await engine.context(address)).state).toEqual({ count: 2 });
  expect((await engine.fork(address, { atItemId: turn.reactionItemId })).state).toEqual({ count: 1 });
  await engine.close();
});

it("a replay begins with the state that the turn found", async () => {
  const definition = counting();
  const { store, engine, address } = setUp(definition);
  const turns = [];
  for (const id of ["m1", "m2", "m3"]) {
    const turn = await engine.react("test", { id, text: id }, { address });
    await turn.result;
    turns.push(turn);
  }
  // Actions that are there only while the state is small: with today's state there would be none.
  const early = counting({
    actions: (context) => ((context.state as { count: number }).count < 3 ? definition.actions(context) : {}),
  });
  expect(await replay({ store, executionId: turns[1]!.executionId, definition: early })).toMatchObject({ same: true });
  await engine.close();
});

it("the id of a fork that is asked for twice is one fork", async () => {
  const { engine, address } = setUp(counting());
  const turn = await engine.react("test", { id: "m1", text: "One." }, { address });
  await turn.result;
  const id = deriveId("what-if", turn.reactionItemId);
  const one = await engine.fork(address, { atItemId: turn.reactionItemId, id });
  expect(await engine.fork(address, { atItemId: turn.reactionItemId, id })).toEqual(one);
  await engine.close();
});
