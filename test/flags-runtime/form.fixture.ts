import { sample, soak } from "@hebra/test-servers/sample";
import assert from "node:assert/strict";
import { test } from "vitest";
import { causes, type Fault } from "./causes.fixture.ts";
import type { Form } from "./forms.fixture.ts";
import { rollOut } from "./rollout-world.fixture.ts";

const TIME = 300_000;

/** What must not only stop, but go back. */
const goesBack: readonly Fault[] = ["failed-turn", "failed-action", "missing-rows"];

/** What shows only after many sessions. */
const late: readonly Fault[] = ["slow", "dear"];

/**
 * The rollouts of one form, causes and the healthy twin. `npm test` draws some, `npm run soak` plays all.
 *
 * @param count - how many of the causes are drawn
 * @param options - `healthy`: whether the twin is played without soak
 */
export function rolloutsOf(form: Form, count: number, options: { skip?: boolean; healthy?: boolean } = {}): void {
  // What shows only after many sessions is left to the quickest form, where npm test has no time for it.
  const points = soak || options.healthy === true ? causes : causes.filter(({ fault }) => !late.includes(fault!));
  for (const cause of sample(form, points, count)) {
    const back = goesBack.includes(cause.fault!);
    test.skipIf(options.skip === true)(
      `${form}: ${cause.title}: ${back ? "rolled back within 60 sessions, each history whole" : "goes no further"} [FL-1]`,
      { timeout: TIME },
      async () => {
        // A pause keeps the split, and more evidence turns it into a rollback.
        const ended = await rollOut(form, cause, back ? /full|rolledBack/ : undefined);
        const what = `${ended.phase} after ${ended.newSessions} sessions by ${ended.cause}: ${ended.reason}`;
        assert.match(ended.phase, back ? /^rolledBack/ : /^(rolledBack|paused)/, what);
        if (!ended.phase.startsWith("rolledBack")) return;
        if (back) assert.ok(ended.newSessions <= 60, what);
        assert.ok(ended.incidents.includes("rollback"), ended.incidents.join());
        assert.equal(ended.postmortems, 1);
        assert.deepEqual(ended.broken, []);
      },
    );
  }
  if (options.healthy !== true && !soak) return;
  test.skipIf(options.skip === true)(
    `${form}: the healthy twin goes to the whole traffic [FL-1]`,
    { timeout: TIME },
    async () => {
      const { phase, reason } = await rollOut(form, { fault: undefined, shares: { old: 0, new: 0 } });
      assert.match(phase, /^full/, reason);
    },
  );
}
