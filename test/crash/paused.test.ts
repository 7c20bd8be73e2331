import { describe, expect, it } from "vitest";
import { crashFixture, PATIENCE } from "./crash.fixture.ts";
import { createHarness, type Harness } from "./harness.ts";
import { twoAtATime } from "./processes.ts";

const { program, stores } = crashFixture("paused");

/**
 * Before an answer is written, in the middle of a batch, before its results are written, and before the rest of them.
 */
const points = ["commit 1 before", "action charge before", "commit 2 before", "action send after", "commit 3 before"];

describe.each(stores)("a process that is paused past its lease over %s", (_name, config) => {
  it.skipIf(config === undefined).each([
    ["leases that know nothing of each other", false],
    ["leases in the store", true],
  ])(
    "and comes back is refused, with %s; nothing is doubled",
    async (_title, sharedLeases) => {
      const harness: Harness = await createHarness(program(), config!);
      try {
        const found = await twoAtATime(points, (label) => harness.pause(label, { sharedLeases }));
        for (const { label, violations, changed, refused, errors } of found) {
          expect({ label, violations, changed }).toEqual({ label, violations: [], changed: false });
          // `UNREACHABLE`: it was asking for the lease when it fell asleep, and the answer came too late to be of use.
          // None: it
          // asked for the lease anew, and found the turn ended by the other.
          for (const code of errors)
            expect(["STALE_FENCE", "LOCK_LOST", "VERSION_CONFLICT", "UNREACHABLE"]).toContain(code);
          // It was about to write when it fell asleep, and does so when it wakes.
          if (label.startsWith("commit")) expect(refused).toEqual([`${label.replace(" before", "")}: STALE_FENCE`]);
        }
      } finally {
        await harness.close();
      }
    },
    PATIENCE,
  );
});
