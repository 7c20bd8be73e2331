import assert from "node:assert/strict";
import { describe, test } from "vitest";
import * as z from "zod";
import { withState } from "../definition/define-action.ts";
import { defineThread } from "../definition/define-thread.ts";
import { action, scripted, setUp } from "./engine.fixture.ts";

describe("a handle of one conversation", () => {
  const asking = () =>
    scripted([{ actions: [{ name: "send", input: {} }] }, { text: "Sent." }], {
      actions: { send: action(() => "sent", { approval: true }) },
    });

  test("sends, reads, asks, and forks without naming its address again [NC-3]", async () => {
    const definition = asking();
    const { engine } = setUp(definition);
    const conversation = engine.thread(definition, { key: "customer-7" });
    assert.deepEqual([await conversation.history(), await conversation.approvals()], [[], []]);

    const turn = await conversation.send("Send it.", { id: "m1" });
    assert.equal((await turn.result).status, "waiting");
    const [approval] = await conversation.approvals();
    await engine.approve(approval!.id);
    assert.equal((await (await engine.follow(turn.executionId)).result).text, "Sent.");
    assert.deepEqual(await conversation.approvals(), []);

    const history = await conversation.history();
    assert.deepEqual(
      history.map(({ item }) => item.kind),
      ["trigger", "reaction"],
    );
    const fork = await conversation.fork({ atItemId: history[1]!.item.id });
    assert.equal((await (await fork.send("And now?")).result).status, "waiting");
    assert.deepEqual([(await fork.approvals()).length, (await conversation.approvals()).length], [1, 0]);
    assert.equal((await fork.history()).length, 4);
    assert.equal((await conversation.history()).length, 2);
    assert.equal((await conversation.send("Send it.", { id: "m1" })).executionId, turn.executionId);
    await engine.close();
  });

  test("cancels what waits and what is in line [NC-3]", async () => {
    const definition = asking();
    const { engine } = setUp(definition);
    const conversation = engine.thread(definition, { key: "customer-7" });
    assert.equal(await conversation.cancel(), 0);
    const first = await conversation.send("Send it.");
    await first.result;
    const second = await conversation.send("Another.");
    assert.equal(await conversation.cancel({ by: "ana" }), 2);
    for (const { executionId } of [first, second])
      assert.equal((await (await engine.follow(executionId)).result).status, "cancelled");
    await engine.close();
  });
});

test("a change of state that names an unknown member is refused, though the schema would drop it [NC-3]", async () => {
  const definition = scripted([{ actions: [{ name: "count", input: {} }] }, { text: "Done." }], {
    state: z.object({ orders: z.number() }),
    initialState: { orders: 0 },
    actions: { count: action(() => withState("counted", { orders: 1, ordres: 5 })) },
  });
  const { engine, store } = setUp(definition);
  const address = { key: "customer-7" };
  const { result, executionId } = await engine.react(definition, { id: "a", text: "a" }, { address });
  await result;
  const { error } = (await store.execution("default", executionId))!.calls[0]!;
  assert.equal(error?.code, "STATE_INVALID");
  assert.match(error.message, /ordres/);
  assert.deepEqual((await engine.context(address)).state, { orders: 0 });
  await engine.close();
});

test.each([
  [{ description: "Looks.", inputSchema: 7 }, /no schema of its input/],
  [{ description: 7, input: z.object({}), execute: () => 1 }, /description/],
  [{ description: "Looks.", input: z.object({}), execute: "now" }, /execute/],
  [undefined, /no object/],
])("an action that cannot work is refused when its thread is defined [NC-3]", (bad, words) => {
  assert.throws(() => defineThread({ name: "test", actions: { bad: bad as never } }), {
    code: "INVALID_OPTIONS",
    message: words,
  });
});

test("an action of a thread is written in place, with the types of its state and services [NC-3]", async () => {
  const definition = scripted([{ actions: [{ name: "count", input: { by: 2 } }] }, { text: "Done." }]);
  const counting = defineThread({
    name: "test",
    reactor: definition.reactor!,
    state: z.object({ orders: z.number() }),
    initialState: { orders: 1 },
    services: () => ({ factor: 10 }),
    actions: ({ action: typed }) => ({
      count: typed({
        description: "Counts.",
        input: z.object({ by: z.number() }),
        execute: ({ by }, { state, services }) => withState("counted", { orders: state.orders + by * services.factor }),
      }),
    }),
  });
  const { engine } = setUp(counting);
  const address = { key: "customer-7" };
  await (
    await engine.react(counting, { id: "a", text: "a" }, { address })
  ).result;
  assert.deepEqual((await engine.context(address)).state, { orders: 21 });
  await engine.close();
});
