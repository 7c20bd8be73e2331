import { describe, expect, test } from "vitest";
import { firstDocument, providerContract } from "./provider.contract.ts";
import { staticProvider } from "./static.ts";

describe("staticProvider", () => {
  for (const [title, clause] of Object.entries(providerContract)) {
    test(title, () => {
      const source = staticProvider(firstDocument);
      return clause({
        connect: () => source,
        publish: async (document) => source.set(document),
        elapse: () => new Promise((resolve) => setImmediate(resolve)),
      });
    });
  }

  test("refuses a bad document and keeps the one before", () => {
    const source = staticProvider(firstDocument);
    expect(() => source.set({ flags: {}, rollouts: { f: { version: 1, canary: { percent: 200 } } } })).toThrow(
      /rollouts\.f\.canary\.percent/,
    );
    expect(source.document()).toEqual(firstDocument);
  });
});
