import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createManualClock, sleep, systemClock } from "./clock.ts";

afterEach(() => void vi.useRealTimers());

describe("createManualClock", () => {
  test("fires due timers in order of time, then of making, at their own times", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ ms: fc.nat(50), cancelled: fc.boolean() }), { maxLength: 12 }),
        fc.array(fc.nat(20), { maxLength: 6 }),
        async (timers, steps) => {
          const clock = createManualClock(1_000);
          const fired: string[] = [];
          timers.forEach(({ ms, cancelled }, n) => {
            const cancel = clock.after(ms, () => void fired.push(`${clock.monotonic()}:${n}`));
            if (cancelled) cancel();
          });
          let now = 0;
          for (const step of steps) await clock.advance(step).then(() => (now += step));
          const due = timers
            .map(({ ms, cancelled }, n) => ({ ms, n, live: !cancelled && ms <= now }))
            .filter(({ live }) => live && steps.length > 0);
          expect(fired).toEqual(due.sort((a, b) => a.ms - b.ms || a.n - b.n).map(({ ms, n }) => `${ms}:${n}`));
          expect(clock.pending()).toBe(timers.filter(({ cancelled }) => !cancelled).length - fired.length);
          expect(clock.now()).toBe(1_000 + now);
        },
      ),
      { seed: 11, numRuns: 50 },
    );
  });

  test("fires timers that a timer sets, within the same advance", async () => {
    const clock = createManualClock();
    const fired: number[] = [];
    const again = () => void (fired.push(clock.monotonic()) < 4 && clock.after(10, again));
    clock.after(10, again);
    await clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
    expect(clock.pending()).toBe(1);
  });

  test("never goes back, also when advanced twice at once", async () => {
    const clock = createManualClock();
    await Promise.all([clock.advance(100), clock.advance(50)]);
    expect(clock.monotonic()).toBe(100);
  });
});

describe("sleep", () => {
  test("ends with its time, and leaves no timer or listener when aborted", async () => {
    const clock = createManualClock();
    const controller = new AbortController();
    const done = vi.fn();
    void sleep(clock, 100).then(done);
    const aborted = sleep(clock, 100, controller.signal);
    await clock.advance(99);
    expect(done).not.toHaveBeenCalled();
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toMatchObject({
      code: "ABORTED",
      cause: expect.objectContaining({ message: "enough" }),
    });
    expect(clock.pending()).toBe(1);
    await clock.advance(1);
    expect(done).toHaveBeenCalledOnce();
    await expect(sleep(clock, 5, AbortSignal.abort())).rejects.toMatchObject({ code: "ABORTED" });
    expect(clock.pending()).toBe(0);
  });
});

describe("systemClock", () => {
  test("waits longer than one timer of Node can", () => {
    vi.useFakeTimers();
    const fired = vi.fn();
    systemClock.after(2 ** 31 + 5_000, fired);
    vi.advanceTimersByTime(2 ** 31);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(5_000);
    expect(fired).toHaveBeenCalledOnce();
    const cancelled = vi.fn();
    const cancel = systemClock.after(2 ** 32, cancelled);
    vi.advanceTimersByTime(2 ** 31);
    cancel();
    vi.advanceTimersByTime(2 ** 33);
    expect(cancelled).not.toHaveBeenCalled();
  });
});
