import { describe, it } from "vitest";
import { reactorContract } from "../reactor.contract.ts";
import { fakeModel } from "./mock-model.ts";
import { aiSdkReactor } from "./reactor.ts";

(globalThis as { AI_SDK_LOG_WARNINGS?: false }).AI_SDK_LOG_WARNINGS = false;

describe.each(["v3", "v2"] as const)("aiSdkReactor with a model of the specification %s", (version) => {
  const clauses = reactorContract({
    create: (model) => aiSdkReactor({ model: fakeModel(model, version) }),
    skip: { "what the reactor remembers comes back to it": "the AI SDK keeps nothing between calls" },
  });
  for (const [title, clause] of Object.entries(clauses)) it(title, clause);
});
