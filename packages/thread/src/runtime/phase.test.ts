import { createManualClock, HebraError, silentLogger } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { phaseControl, watchPhase } from "./phase.ts";

describe("the phase of a runtime", () => {
  it("is open until it is written, and seen by every process within a second", async () => {
    const [store, clock] = [memoryStore(), createManualClock()];
    const control = phaseControl(store, clock);
    const watches = [0, 1].map(() => watchPhase({ store, clock, logger: silentLogger, shared: true, alone: false }));
    const seen: string[] = [];
    for (const [n, watch] of watches.entries()) {
      expect(() => watch.assertOpen()).toThrow(expect.objectContaining({ code: "CLOSED", retryable: true }));
      watch.onChange((phase) => seen.push(`${n} ${phase}`));
      await watch.begin();
      watch.assertOpen();
    }
    for (const phase of ["paused", "stopped", "open"] as const) {
      await control.write(phase);
      await clock.advance(1_001);
      expect(watches.map((watch) => watch.phase())).toEqual([phase, phase]);
      if (phase !== "open") expect(() => watches[0]!.assertOpen()).toThrow(/The intake is paused/);
    }
    expect(seen).toEqual(["0 paused", "1 paused", "0 stopped", "1 stopped", "0 open", "1 open"]);
    for (const watch of watches) watch.stop();
  });

  it("is told at once to whoever comes late, and stays as it was known while the store is away", async () => {
    const [inner, clock] = [memoryStore(), createManualClock()];
    await phaseControl(inner, clock).write("paused");
    let away = true;
    const store: ThreadStore = {
      ...inner,
      load: (...given) => (away ? Promise.reject(new HebraError("UNREACHABLE", "away")) : inner.load(...given)),
    };
    const watch = watchPhase({ store, clock, logger: silentLogger, shared: true, alone: false });
    await watch.begin();
    expect(watch.phase()).toBeUndefined();
    expect(() => watch.assertOpen()).toThrow(/while the store is away/);
    away = false;
    await clock.advance(1_001);
    const seen: string[] = [];
    watch.onChange((phase) => seen.push(phase));
    away = true;
    await clock.advance(5_000);
    expect([watch.phase(), seen]).toEqual(["paused", ["paused"]]);
    watch.stop();
  });

  it("is open where nobody else could write it, and costs no look", async () => {
    const store: ThreadStore = { ...memoryStore(), load: () => Promise.reject(new Error("nobody looks")) };
    const clock = createManualClock();
    const watch = watchPhase({ store, clock, logger: silentLogger, shared: false, alone: false });
    await watch.begin();
    watch.assertOpen();
    expect(clock.pending()).toBe(0);
  });
});
