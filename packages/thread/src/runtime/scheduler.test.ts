import { createManualClock, type ManualClock } from "@hebra/core";
import { localBus, type Bus } from "@hebra/bus";
import { localLocks } from "@hebra/lock";
import { afterEach, describe, expect, it } from "vitest";
import { memoryStore } from "../store/memory.ts";
import { storeJobMemory } from "./job-memory.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import { echoThread } from "./runtime.fixture.ts";
import type { Job } from "./scheduler.ts";

const HOUR = 3_600_000;
const START = Date.parse("2026-11-21T00:30:00Z");
const open: Runtime[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((runtime) => runtime.close()));
});

function setUp() {
  const clock = createManualClock(START);
  const published: { id: string; at: number }[] = [];
  const inner = localBus({ clock }) as Bus;
  const bus: Bus = {
    ...inner,
    deadLetters: inner.deadLetters,
    publishInbound(messages, options) {
      for (const { id } of Array.isArray(messages) ? messages : [messages])
        published.push({ id: String(id), at: clock.now() });
      return inner.publishInbound(messages, options);
    },
  };
  const [store, locks] = [memoryStore(), localLocks({ clock })];
  const make = () => {
    const runtime = createRuntime({ threads: [echoThread()], store, bus, locks, clock });
    open.push(runtime);
    return runtime;
  };
  const runs = () => published.map(({ id }) => new Date(Number(id.split(":").at(-1))).toISOString().slice(11, 16));
  return { clock, published, store, make, runs };
}

const hourly = (missed?: Job["missed"]): Job => ({
  id: "report",
  cron: "0 * * * *",
  ...(missed === undefined ? {} : { missed }),
  message: { session: "reports", text: "Report." },
});
const pass = async (clock: ManualClock, ms: number) => {
  for (let left = ms; left > 0; left -= 60_000) await clock.advance(Math.min(left, 60_000));
};

describe("the scheduler", () => {
  it("publishes each run once, at its time, whoever leads: the id is the job and the time", async () => {
    const { clock, published, make, runs } = setUp();
    const candidates = [make(), make()].map((runtime) => runtime.scheduler({ jobs: [hourly()], ttlMs: 1_000 }));
    await pass(clock, 2 * HOUR);
    expect(runs()).toEqual(["01:00", "02:00"]);
    expect(published[0]!.id).toBe(`schedule:report:${Date.parse("2026-11-21T01:00:00Z")}`);
    expect(candidates.filter(({ epoch }) => epoch !== undefined)).toHaveLength(1);
    const leader = candidates.find(({ epoch }) => epoch !== undefined)!;
    await leader.stop();
    await pass(clock, HOUR);
    expect(runs()).toEqual(["01:00", "02:00", "03:00"]);
    expect(candidates.find((candidate) => candidate !== leader)!.epoch).toBeDefined();
  });

  it.each([
    ["skip", ["01:00", "06:00"]],
    ["once", ["01:00", "05:00", "06:00"]],
    ["all", ["01:00", "02:00", "03:00", "04:00", "05:00", "06:00"]],
  ] as const)("makes up for what was missed by the policy `%s`", async (missed, expected) => {
    const { clock, make, runs } = setUp();
    const first = make().scheduler({ jobs: [hourly(missed)], ttlMs: 1_000 });
    await pass(clock, HOUR);
    await first.stop();
    await pass(clock, 4 * HOUR);
    make().scheduler({ jobs: [hourly(missed)], ttlMs: 1_000 });
    await pass(clock, HOUR);
    expect(runs()).toEqual(expected);
  });

  it("beats at every multiple of `everyMs`", async () => {
    const { clock, make, runs } = setUp();
    make().scheduler({
      jobs: [{ id: "beat", everyMs: 20 * 60_000, message: { session: "beats", text: "Beat." } }],
      ttlMs: 1_000,
    });
    await pass(clock, HOUR);
    expect(runs()).toEqual(["00:40", "01:00", "01:20"]);
  });

  it("keeps an earlier leader from overwriting what a later one remembers", async () => {
    const { store } = setUp();
    const memory = storeJobMemory(store, "scheduler", () => START);
    await memory.open(10);
    await memory.open(20);
    await memory.record(20, new Map([["report", 2]]));
    await expect(memory.record(10, new Map([["report", 1]]))).rejects.toMatchObject({ code: "STALE_FENCE" });
    expect(await memory.open(30)).toEqual(new Map([["report", 2]]));
  });

  it("refuses two jobs of one id, and a job without a time", () => {
    const { make } = setUp();
    const runtime = make();
    expect(() => runtime.scheduler({ jobs: [hourly(), hourly()] })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS" }),
    );
    expect(() => runtime.scheduler({ jobs: [{ id: "x", message: { session: "s", text: "t" } }] })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS" }),
    );
  });
});
