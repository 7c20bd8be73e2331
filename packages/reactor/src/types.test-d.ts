import { MockLanguageModelV3 } from "ai/test";
import { aiSdkReactor } from "./ai-sdk/index.ts";
import type { ReactorEvent } from "./events.ts";
import type { Reactor } from "./reactor.ts";
import { reactorContract } from "./reactor.contract.ts";
import { scriptedReactor } from "./scripted.ts";

// What must compile, and what must not: `tsc -b` is the test.
scriptedReactor({
  steps: [
    { text: "a" },
    ({ ids }) => ({ text: String(ids.iteration) }),
    async () => ({ actions: [{ name: "a", input: { list: [1, null] } }] }),
  ],
});
scriptedReactor({
  steps: ({ transcript }) => (transcript.length > 1 ? [{ text: "b" }] : [{ error: new Error("no") }]),
});
// @ts-expect-error -- a step has no such member
scriptedReactor({ steps: [{ words: "a" }] });
// @ts-expect-error -- input must be JSON
scriptedReactor({ steps: [{ actions: [{ name: "a", input: new Date() }] }] });
// @ts-expect-error -- steps are needed
scriptedReactor({});

aiSdkReactor({ model: new MockLanguageModelV3() });
aiSdkReactor({ model: "any/id", selectModel: async () => "any/id" });
// @ts-expect-error -- not a model
aiSdkReactor({ model: { provider: "acme", modelId: "acme-1" } });

reactorContract({
  create: () => scriptedReactor({ steps: [{}] }),
  skip: { "reasoning comes apart from the text": "text alone" },
});
// @ts-expect-error -- no such clause
reactorContract({ create: () => scriptedReactor({ steps: [{}] }), skip: { anything: "why" } });

// @ts-expect-error -- another contract
export const other: Reactor = { contract: "reactor-v2", name: "other", async *react() {} };
// @ts-expect-error -- a failure is thrown, never an event
export const failure: ReactorEvent = { type: "error", error: "no" };
