import { HebraError } from "@hebra/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { legalEvents, nextPhase, rolloutEvents, type RolloutEvent } from "./machine.ts";
import { phaseLabel, samePhase, type Phase } from "./phase.ts";

const attempt = (phase: Phase, event: RolloutEvent, steps: number): Phase | undefined => {
  try {
    return nextPhase(phase, event, { steps });
  } catch (error) {
    expect(HebraError.isInstance(error) && error.code).toBe("ILLEGAL_TRANSITION");
    return undefined;
  }
};

/** Breadth first from `off`: every phase a plan can reach. */
function reachable(steps: number): Phase[] {
  const seen = new Map<string, Phase>([["off", { name: "off" }]]);
  const queue: Phase[] = [{ name: "off" }];
  for (let phase = queue.shift(); phase !== undefined; phase = queue.shift()) {
    for (const event of rolloutEvents) {
      const next = attempt(phase, event, steps);
      if (next === undefined || seen.has(phaseLabel(next))) continue;
      seen.set(phaseLabel(next), next);
      queue.push(next);
    }
  }
  return [...seen.values()];
}

describe("the rollout machine", () => {
  it("reaches exactly the phases of the design", () => {
    expect(reachable(2).map(phaseLabel).sort()).toEqual(
      [
        "off",
        "internal",
        "shadow",
        "canary(0)",
        "canary(1)",
        "full",
        "retired",
        "paused(shadow)",
        "paused(canary(0))",
        "paused(canary(1))",
        "paused(full)",
        "rolledBack(internal)",
        "rolledBack(shadow)",
        "rolledBack(canary(0))",
        "rolledBack(canary(1))",
        "rolledBack(full)",
      ].sort(),
    );
  });

  it("walks the default plan forward and back by the same phases", () => {
    const forward: string[] = [];
    let phase = nextPhase({ name: "off" }, "start", { steps: 4 });
    for (; phase.name !== "full"; phase = nextPhase(phase, "advance", { steps: 4 })) forward.push(phaseLabel(phase));
    const back: string[] = [];
    for (; phase.name !== "off"; phase = nextPhase(phase, "retreat", { steps: 4 })) back.unshift(phaseLabel(phase));
    expect(forward).toEqual(["internal", "shadow", "canary(0)", "canary(1)", "canary(2)", "canary(3)"]);
    expect(back).toEqual([...forward, "full"]);
  });

  it("has a reverse edge out of every phase that serves the new engine", () => {
    for (const phase of reachable(3)) {
      if (phase.name === "off" || phase.name === "retired" || phase.name === "rolledBack") continue;
      expect(legalEvents(phase), phaseLabel(phase)).toContain("rollback");
    }
  });

  it("keeps any sequence of events inside the table, and both latches shut", () => {
    const phasesOf = Array.from({ length: 7 }, (_, steps) => new Set(reachable(steps).map(phaseLabel)));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6 }),
        fc.array(fc.constantFrom(...rolloutEvents), { maxLength: 60 }),
        (steps, events) => {
          const phases = phasesOf[steps]!;
          let phase: Phase = { name: "off" };
          for (const event of events) {
            const legal = legalEvents(phase).includes(event);
            const next = attempt(phase, event, steps);
            expect(next !== undefined).toBe(legal);
            if (next === undefined) continue;
            expect(phases).toContain(phaseLabel(next));
            if (phase.name === "rolledBack") expect(event).toBe("reset");
            if (phase.name === "retired") expect(event).toBe("reinstate");
            if (next.name === "canary") expect(next.step).toBeLessThan(steps);
            if (event === "pause" && next.name === "paused")
              expect(samePhase(nextPhase(next, "resume", { steps }), phase)).toBe(true);
            phase = next;
          }
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });

  it("names both the phase and what would be legal when it refuses", () => {
    expect(() => nextPhase({ name: "off" }, "advance", { steps: 4 })).toThrow(
      "A rollout that is off cannot `advance`. From here it can: start.",
    );
    expect(() => nextPhase({ name: "internal" }, "cutover", { steps: 4 })).toThrow(/cannot `cutover`/);
    expect(() => nextPhase({ name: "rolledBack", from: { name: "full" } }, "advance", { steps: 4 })).toThrow(
      /it can: reset/,
    );
  });
});
