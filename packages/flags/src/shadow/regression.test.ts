import { createManualClock, digest } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { perfBaseline } from "./perf-baseline.ts";
import { validateNoRegression } from "./validate-no-regression.ts";

const cases = Array.from({ length: 40 }, (_, at) => ({ id: `c${at}`, input: at + 1 }));
const legacy = (input: number) => ({ price: input * 100, label: `n${input}`, items: [{ weight: input }] });

describe("validateNoRegression", () => {
  it("passes small differences, with figures for every field and a digest", async () => {
    const report = await validateNoRegression({
      cases,
      legacy,
      next: (input) => ({ ...legacy(input), price: input * 103 }),
      concurrency: 4,
    });
    expect(report).toMatchObject({ ok: true, cases: 40, answered: 40, coverage: 1, problems: [] });
    expect(report.fields.map((one) => one.field)).toEqual(["items.length", "items[*].weight", "label", "price"]);
    expect(report.fields.find((one) => one.field === "price")).toMatchObject({ n: 40, coverage: 1, limit: 0.05 });
    expect(report.fields.find((one) => one.field === "price")!.p95).toBeCloseTo(0.03, 9);
    const { digest: hash, ...rest } = report;
    expect(hash).toBe(digest(rest));
  });

  it("does not let opposite differences cancel out", async () => {
    const report = await validateNoRegression({
      cases,
      legacy,
      next: (input) => ({ ...legacy(input), price: input * 100 * (input % 2 === 0 ? 1.2 : 0.8) }),
    });
    expect(report.ok).toBe(false);
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatch(/^price: p95 0\.2000/);
  });

  it("counts missing fields, failed pairs and changed text against the new engine", async () => {
    const missing = await validateNoRegression({
      cases,
      legacy,
      next: (input) => (input === 7 ? { label: "n7", items: [{ weight: 7 }] } : legacy(input)),
    });
    expect(missing.fields.find((one) => one.field === "price")).toMatchObject({ ok: false, coverage: 39 / 40, max: 1 });
    const failed = await validateNoRegression({
      cases,
      legacy,
      next: (input) => (input === 7 ? Promise.reject(new Error("no")) : legacy(input)),
    });
    expect(failed).toMatchObject({ ok: false, answered: 39, failures: [{ id: "c6", engine: "next", error: "no" }] });
    const both = await validateNoRegression({
      cases: cases.slice(0, 1),
      legacy: () => Promise.reject(new Error("a")),
      next: () => Promise.reject(new Error("b")),
    });
    expect(both.ok).toBe(false);
    const text = await validateNoRegression({ cases, legacy, next: (input) => ({ ...legacy(input), label: "x" }) });
    expect(text.problems[0]).toMatch(/^label/);
    const items = await validateNoRegression({ cases, legacy, next: (input) => ({ ...legacy(input), items: [] }) });
    expect(items.ok).toBe(false);
    await expect(validateNoRegression({ cases: [], legacy, next: legacy })).rejects.toThrow(/nothing to show/);
  });

  it("honours declared exceptions until they expire", async () => {
    const run = (expires: string) =>
      validateNoRegression({
        cases,
        legacy,
        next: (input) => ({ ...legacy(input), label: "x" }),
        exceptions: [{ field: "label", owner: "ana", reason: "new wording", expires }],
        clock: createManualClock(Date.parse("2026-03-01")),
      });
    expect(await run("2026-04-01")).toMatchObject({ ok: true });
    const late = await run("2026-02-01");
    expect(late.ok).toBe(false);
    expect(late.problems[0]).toMatch(/exception of ana for label expired/);
  });
});

describe("perfBaseline", () => {
  /** A virtual clock that the load itself drives. */
  async function measure(
    options: Omit<Parameters<typeof perfBaseline>[0], "clock" | "operations"> & {
      service: (call: number) => number | "hang" | "fail";
    },
  ) {
    const clock = createManualClock();
    const { service, ...rest } = options;
    let calls = 0;
    const run = () => {
      const takes = service(calls++);
      if (takes === "hang") return new Promise(() => {});
      if (takes === "fail") return Promise.reject(new Error("no"));
      return new Promise<void>((resolve) => void clock.after(takes, resolve));
    };
    let done = false;
    const report = perfBaseline({
      operations: [{ name: "predict", run, ratePerSecond: 100, targetP95Ms: 500 }],
      warmupMs: 0,
      durationMs: 1_000,
      timeoutMs: 300,
      ...rest,
      clock,
    }).finally(() => (done = true));
    while (!done) await clock.advance(5);
    return { report: await report, pending: clock.pending() };
  }

  it("counts every outcome, a timeout with all the time it was given", async () => {
    const { report, pending } = await measure({ service: (call) => (call === 3 ? "hang" : call === 4 ? "fail" : 20) });
    expect(report.operations[0]).toMatchObject({ calls: 100, ok: 98, failed: 1, timedOut: 1, p50: 20, max: 300 });
    expect(report.ok).toBe(false);
    expect(report.problems[0]).toMatch(/1 calls failed and 1 timed out of 100/);
    expect(pending).toBe(0);
  });

  it("compares with a stored baseline and refuses one that was changed, is not signed by the key, or is from elsewhere", async () => {
    const { report: baseline } = await measure({ service: () => 20, key: "k" });
    expect(baseline).toMatchObject({ ok: true });
    expect((await measure({ service: () => 20, key: "k", baseline })).report).toMatchObject({
      ok: true,
      operations: [{ growth: 0, baselineP95: 20 }],
    });
    expect((await measure({ service: () => 22, key: "k", baseline })).report.problems[0]).toMatch(
      /10\.0 % over the baseline/,
    );
    expect((await measure({ service: () => 20, key: "other", baseline })).report.problems[0]).toMatch(/signature/);
    expect(
      (await measure({ service: () => 20, baseline: { ...baseline, at: "2020-01-01" } })).report.problems[0],
    ).toMatch(/was changed/);
    const { digest: _, signature: __, ...rest } = { ...baseline, machine: "another" };
    const foreign = { ...rest, digest: digest(rest) };
    expect((await measure({ service: () => 20, baseline: foreign })).report.problems[0]).toMatch(
      /another machine class/,
    );
  });

  it("sees a stall in every call that it held up", async () => {
    // One worker that stalls for 200 ms once: a closed loop would see a single slow call.
    const clock = createManualClock();
    let freeAt = 0;
    let calls = 0;
    const run = () => {
      const starts = Math.max(freeAt, clock.monotonic());
      freeAt = starts + (calls++ === 50 ? 200 : 5);
      return new Promise<void>((resolve) => void clock.after(freeAt - clock.monotonic(), resolve));
    };
    let done = false;
    const pending = perfBaseline({
      operations: [{ name: "queue", run, ratePerSecond: 100 }],
      warmupMs: 0,
      durationMs: 1_000,
      clock,
    }).finally(() => (done = true));
    while (!done) await clock.advance(5);
    const [figures] = (await pending).operations;
    expect(figures!.max).toBeGreaterThanOrEqual(200);
    expect(figures!.p95).toBeGreaterThan(150);
  });
});
