import { describe, expect, it } from "vitest";
import { wilsonUpper } from "../rollout/guards/frozen-baseline.ts";
import { createRandom } from "../rollout/workload.ts";
import { createShadowRunner } from "./runner.ts";

/** The gate out of shadow: the upper 95 % limit of mismatches. */
const GATE = 0.01;

/** An engine against itself, or against one that differs more often, in one field that varies. */
async function shadow(seed: number, old: number, fresh: number, pairs: number) {
  const random = createRandom(seed);
  const answer = (share: number) => ({ text: "hello", variant: random() < share ? random() : 0 });
  const runner = createShadowRunner({ maxQueued: pairs, random });
  for (let at = 0; at < pairs; at++)
    runner.submit({
      flag: "engine-v2",
      session: `s${at}`,
      answer: answer(old),
      next: async () => answer(fresh),
      again: async () => answer(old),
    });
  await runner.idle();
  await runner.close();
  const { compared, mismatched } = runner.counts();
  return { compared, share: wilsonUpper(mismatched, compared, 1.644854) };
}

describe("an A/A shadow run with the default sample", { timeout: 60_000 }, () => {
  it.each([0.05, 0.2, 0.5, 0.9])(
    "whose one field varies in %d of the answers passes its own gate [FL-10]",
    async (share) => {
      let failed = 0;
      for (let seed = 1; seed <= 6; seed++) {
        const found = await shadow(seed, share, share, 1_000);
        expect(found.compared).toBe(1_000);
        if (found.share > GATE) failed++;
      }
      expect(failed).toBe(0);
    },
  );

  it("still finds an engine that varies more often, and one that differs where the old one never does [FL-10]", async () => {
    expect((await shadow(1, 0.2, 0.4, 1_000)).share).toBeGreaterThan(GATE);
    expect((await shadow(1, 0, 0.05, 1_000)).share).toBeGreaterThan(GATE);
  });
});
