import assert from "node:assert";
import { createEngine, defineAction, defineThread } from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import * as z from "zod";

const support = defineThread({
  name: "support",
  instructions: "You help customers with their orders.",
  actions: {
    find_order: defineAction({
      description: "Finds an order by its number.",
      input: z.object({ number: z.string() }),
      effect: "read", // may run again after a crash
      execute: ({ number }) => ({ number, status: "shipped" }),
    }),
  },
  // Stands in for a model, so that this runs without keys. Leave it out and set `model` to use the AI SDK.
  reactor: scriptedReactor({
    steps: [{ actions: [{ name: "find_order", input: { number: "A-7" } }] }, { text: "It has shipped." }],
  }),
});
const engine = createEngine({ store: await sqliteStore({ path: ":memory:" }), threads: [support] });
const turn = await engine.react(
  support,
  { id: "message-1", text: "Where is A-7?" },
  { address: { key: "customer-42" } },
);
for await (const event of turn.stream) if (event.type === "part-delta") console.log(event.data["delta"]);
assert.equal((await turn.result).text, "It has shipped.");
await engine.close();
