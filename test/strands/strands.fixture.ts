import { seed, soak } from "@hebra/test-servers/sample";
import type { ThreadStore } from "@hebra/thread";
import fc from "fast-check";
import { expect, test } from "vitest";
import { comeToRest, judge } from "./judge.ts";
import { play } from "./play.ts";
import { plans, type Plan } from "./plan.ts";
import { createWorld } from "./world.ts";

const PATIENCE = soak ? 3_600_000 : 120_000;
const path = process.env["HEBRA_PATH"];

/**
 * Plays random plans through the public API of two plain engines over one store.
 *
 * `HEBRA_SEED` repeats a run, and `HEBRA_PATH` one of its plans: both are printed with a plan that failed.
 */
export function nothingStrands(name: string, open: (() => Promise<ThreadStore> | ThreadStore) | undefined): void {
  test.skipIf(open === undefined)(
    `over ${name}, every result settles, no turn is left without an owner, no effect happens twice and no conversation is blocked, whatever fails`,
    async () => {
      const store = await open!();
      const rejections: unknown[] = [];
      const onRejection = (reason: unknown) => void rejections.push(reason);
      process.on("unhandledRejection", onRejection);
      let played = 0;
      try {
        await fc.assert(
          fc.asyncProperty(plans, (plan) => playOne(store, plan, `${name}-${seed}-${played++}`, rejections)),
          { numRuns: soak ? 2_000 : 100, seed: seed ^ fc.hash(name), ...(path === undefined ? {} : { path }) },
        );
      } finally {
        process.off("unhandledRejection", onRejection);
        await store.close();
      }
      expect(played).toBeGreaterThan(0);
    },
    PATIENCE,
  );
}

async function playOne(store: ThreadStore, plan: Plan, name: string, rejections: unknown[]): Promise<void> {
  rejections.length = 0;
  const world = createWorld(store, name);
  try {
    const played = await play(plan, world, name);
    await comeToRest(world, played);
    await judge(world, played, store);
  } finally {
    await world.close();
  }
  expect(rejections, "no promise is left without a handler").toEqual([]);
}
