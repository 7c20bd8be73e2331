import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { sample } from "@hebra/test-servers/sample";
import { hostTools, playInterrupted, type Interruption } from "./play.fixture.ts";
import { present, recordings } from "./recordings.fixture.ts";
import { violations } from "./rules.fixture.ts";

// What the providers' packages warn of is looked for in the requests.
globalThis.AI_SDK_LOG_WARNINGS = false;

const interruptions: readonly Interruption[] = ["stop", "cut", "limit", "error", "denial"];

/** Every event of every answer, with every way in which it can be the last; of OpenAI with `store` and without. */
const points = recordings().flatMap((recording) =>
  recording.events.flatMap((_, index) =>
    interruptions.flatMap((how) =>
      (recording.provider === "openai" ? [true, false] : [true]).map((store) => ({
        recording,
        after: index + 1,
        how,
        store,
      })),
    ),
  ),
);

describe.skipIf(!present)("after an interruption, which needs ../shared/suites/provider-streams", () => {
  test(
    "the next prompt satisfies the provider's rules, every other provider's, and the first one's again [RE-1] [RE-2] [RE-4]",
    { timeout: 1_800_000 },
    async () => {
      const found: string[] = [];
      for (const { recording, after, how, store } of sample("interrupted answers", points, 60)) {
        const names = await hostTools(recording);
        for (const [provider, request, served] of await playInterrupted({ recording, names, after, how, store }))
          for (const violation of violations(provider, request, served))
            found.push(`${recording.name}, ${how} after ${after}, store ${store}, asking ${provider}: ${violation}`);
      }
      assert.deepEqual(found, []);
    },
  );

  test("the next prompt satisfies the provider's rules when a person denies the calls [RE-1]", async () => {
    const found: string[] = [];
    for (const recording of recordings()) {
      const names = await hostTools(recording);
      if (names.length === 0) continue;
      const after = recording.events.length;
      for (const [provider, request, served] of await playInterrupted({ recording, names, after, how: "denial" }))
        for (const violation of violations(provider, request, served))
          found.push(`${recording.name}, denied, asking ${provider}: ${violation}`);
    }
    assert.deepEqual(found, []);
  });
});
