import assert from "node:assert/strict";
import { createManualClock } from "@hebra/core";
import fc from "fast-check";
import { test } from "vitest";
import { createTimerSlots, type Timed } from "./timer-slots.ts";

test("never late, at most 50 ms and a tenth early, never after it was cancelled", async () => {
  const timer = fc.record({
    start: fc.nat(300),
    ms: fc.double({ min: 0, max: 3000, noNaN: true }),
    cancelAfter: fc.option(fc.nat(3000)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(timer, { maxLength: 8 }), async (specs) => {
      const clock = createManualClock();
      const timers = createTimerSlots(clock);
      const fired: { due: number; ms: number; at: number; cancelled: boolean }[] = [];
      for (const { start, ms, cancelAfter } of specs) {
        clock.after(start, () => {
          let cancelled = false;
          const due = clock.monotonic() + ms;
          const timed: Timed = {
            slot: undefined,
            onTime: () => fired.push({ due, ms, at: clock.monotonic(), cancelled }),
          };
          timers.set(ms, timed);
          if (cancelAfter !== null) clock.after(cancelAfter, () => ((cancelled = true), timers.cancel(timed)));
        });
      }
      await clock.advance(4000);
      for (const { due, ms, at, cancelled } of fired) {
        assert.equal(cancelled, false);
        assert.ok(at <= due + 1e-6 && due - at <= Math.min(50, ms / 10) + 1e-6, `due ${due}, fired ${at}`);
      }
      assert.ok(fired.length >= specs.filter((it) => it.cancelAfter === null).length);
      assert.equal(clock.pending(), 0);
    }),
    { numRuns: 100, seed: 20_261_121 },
  );
});

test("ten thousand timers due together take one timer of the clock, and clearing leaves none", () => {
  const clock = createManualClock();
  const timers = createTimerSlots(clock);
  for (let i = 0; i < 10_000; i++) timers.set(40_010, { slot: undefined, onTime() {} });
  timers.set(5, { slot: undefined, onTime() {} });
  assert.equal(clock.pending(), 2);
  const soon: Timed = { slot: undefined, onTime() {} };
  timers.set(100, soon);
  timers.cancel(soon);
  assert.equal(clock.pending(), 2, "a short one takes its timer with it");
  timers.clear();
  assert.equal(clock.pending(), 0);
});
