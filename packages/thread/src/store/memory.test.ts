import { describe, it } from "vitest";
import { memoryStore } from "./memory.ts";
import { storeContract } from "./store.contract.ts";

const reason = "memory ends with its process, so there is no second store over the same data";

describe("memoryStore", () => {
  const clauses = storeContract({
    create: async () => memoryStore(),
    skip: {
      "what was acknowledged is there when the data is opened again": reason,
      "two stores over the same data: exactly one wins each sequence": reason,
      "two stores over the same data: one trigger makes one execution, also in a new thread": reason,
      "a watcher hears of another store's inbox writes": reason,
    },
  });
  for (const [title, clause] of Object.entries(clauses)) it(title, clause);
});
