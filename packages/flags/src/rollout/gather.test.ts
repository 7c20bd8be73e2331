import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "vitest";
import { noArm, type CounterRow } from "./counter-row.ts";
import { createGatherer, gather } from "./gather.ts";
import type { UnitRow } from "./unit-row.ts";

const BLOCK = 300_000;

const unit = fc.tuple(
  fc.integer({ min: 1, max: 30 }),
  fc.integer({ min: 0, max: 127 }),
  fc.integer({ min: 1, max: 1_000 }),
  fc.integer({ min: -1, max: 200 }),
  fc.constantFrom(0, 1, 3),
  fc.integer({ min: 0, max: 50 }),
  fc.constantFrom(0, 1, 3),
  fc.integer({ min: 0, max: 50 }),
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0, max: 3 }),
) as unknown as fc.Arbitrary<UnitRow>;
const units = fc.uniqueArray(unit, { selector: (one) => one[0], maxLength: 8 });
const report = fc.record({
  block: fc.integer({ min: 0, max: 80 }),
  source: fc.constantFrom("a", "b", "c"),
  new: units,
  legacy: units,
  extras: fc.constantFrom(
    {},
    { persistence: { checked: 2, missing: 0 } },
    { operations: { ingest: { attempts: 2, successes: 1 } }, errorClasses: { DATA_LOSS: 1 } },
    {
      shadow: {
        compared: 1,
        equal: 1,
        mismatched: 0,
        onlyNewFailed: 0,
        onlyLegacyFailed: 0,
        bothFailed: 0,
        timedOut: 0,
        dropped: 0,
      },
    },
  ),
  /** Minutes until the look after it. */
  wait: fc.integer({ min: 0, max: 20 }),
  /** Old rows are forgotten before the look. */
  prune: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
});

test("a gatherer that looks after every report counts what a single look at the end counts", () => {
  fc.assert(
    fc.property(
      fc.array(report, { minLength: 1, maxLength: 40 }),
      fc.constantFrom({}, { slowOver: 300 }, { slowOver: 300, costOver: 9e6, stepsOver: 5 }),
      fc.constantFrom(0, 600_000),
      (reports, frozen, warmUpMs) => {
        const rows = new Map<string, CounterRow>();
        const kept = createGatherer();
        let now = 0;
        let sequence = 0;
        for (const { block, source, new: fresh, legacy, extras, wait, prune } of reports) {
          const start = block * BLOCK;
          rows.set(`${start} ${source}`, {
            flag: "f",
            source,
            sequence: ++sequence,
            start,
            end: start + BLOCK,
            new: { ...noArm, units: fresh },
            legacy: { ...noArm, units: legacy },
            ...extras,
          });
          if (prune) for (const [key, row] of rows) if (row.start < start) rows.delete(key);
          now = Math.max(now, start) + wait * 60_000;
          const options = { frozen, warmUpMs, latencyCeilingMs: 2_000, from: 2 * BLOCK, now };
          const all = [...rows.values()];
          assert.deepEqual(kept(all, options), gather(all, options));
        }
      },
    ),
    { seed: 20261130, numRuns: 30 },
  );
});
