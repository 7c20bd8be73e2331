import assert from "node:assert/strict";
import { createEngine, defineAction, defineThread } from "@hebra/thread";
import { memoryStore } from "@hebra/thread/store/memory";
import * as z from "zod";
import { testModel } from "./test-model.ts";

// #region model
const support = defineThread({
  name: "support",
  instructions: "You help customers with their orders.",
  model: testModel(), // or openai("gpt-5"), anthropic("claude-sonnet-4-5"), "openai/gpt-5", …
  actions: {
    find_order: defineAction({
      description: "Finds an order by its number.",
      input: z.object({ number: z.string() }),
      effect: "read",
      execute: ({ number }) => ({ number, status: "shipped" }),
    }),
  },
});
// #endregion

const engine = createEngine({ store: memoryStore(), threads: [support] });
const turn = await engine.react(support, { id: "message-1", text: "Where is A-7?" }, { address: { key: "ana" } });
const result = await turn.result;
assert.equal(result.status, "completed");
assert.equal(result.text, "Order A-7 is shipped.");
console.log(result.text);
await engine.close();
