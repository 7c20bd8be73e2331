import { describe, it } from "vitest";
import { memoryStore } from "./memory.ts";
import { storeContract } from "./store.contract.ts";

describe("memoryStore", () => {
  for (const [title, clause] of Object.entries(storeContract({ create: async () => memoryStore() }))) it(title, clause);
});
