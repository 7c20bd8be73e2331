import { sample } from "@hebra/test-servers/sample";
import { describe, expect, it } from "vitest";
import { crashFixture, PATIENCE } from "./crash.fixture.ts";
import { createHarness, miss } from "./harness.ts";
import type { StoreConfig } from "./stores.ts";

/**
 * What every store's run passes: two `begin`s, eight writes of the long turn and two of the other, a takeover; seven
 * actions.
 */
const WRITES = 2 + 8 + 2 + 1;
const ACTIONS = 7;
/** How many of the points a run kills at, unless it is a soak. */
const SAMPLE = 16;

/** Kills a process at write points over one store, and judges what another one makes of it. */
export function killedAtEachPoint(kind: StoreConfig["kind"]): void {
  const { program, storeOf } = crashFixture(`crash_${kind}`);
  const config = storeOf(kind);

  describe(`a process killed at each write point over ${kind}`, () => {
    it.skipIf(config === undefined)(
      "loses nothing, repeats nothing that it must not, and goes on",
      async () => {
        const harness = await createHarness(program(), config!);
        try {
          const points = await harness.enumerate();
          expect(new Set(points).size).toBe(points.length);
          expect(points).toHaveLength(WRITES * 3 + ACTIONS * 2);
          const killed = await harness.kill(sample(`killed over ${kind}`, points, SAMPLE));
          const missed = killed.flatMap((one) => miss(one) ?? []);
          const violations = await harness.recover(killed);
          console.log(
            `${kind}: ${killed.length} of ${points.length} write points, ${killed.length - missed.length} hit, ${violations.length} violations`,
          );
          expect({ missed, violations }).toEqual({ missed: [], violations: [] });
        } finally {
          await harness.close();
        }
      },
      PATIENCE,
    );
  });
}
