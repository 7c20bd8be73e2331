import { createManualClock, HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import type { RolloutConfig } from "../evaluate/types.ts";
import { staticProvider } from "../provider/static.ts";
import type { AssignmentStore } from "./assignment.ts";
import { createRouter } from "./create-router.ts";
import { memoryAssignments } from "./memory-assignments.ts";
import type { RouterOptions } from "./options.ts";
import type { EngineHandlers, RouteTurn } from "./router.ts";

const kill = { at: "2026-01-01T00:00:00Z", by: "ops", reason: "drill" };
const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp(options: Partial<RouterOptions> = {}) {
  const clock = createManualClock();
  const rollouts = (version: number, rollout: Omit<RolloutConfig, "version">) => ({
    flags: {},
    rollouts: { f: { version, ...rollout } },
  });
  const source = staticProvider(rollouts(1, { canary: { percent: 100 } }));
  const flags = createFlags({ provider: source, clock, logger: { warn() {} } });
  const events: string[] = [];
  const router = createRouter({
    flags,
    clock,
    logger: { warn() {} },
    observer: {
      breakerOpened: ({ forMs, cause }) => void events.push(`opened ${forMs} ${cause}`),
      breakerClosed: () => void events.push("closed"),
      warned: ({ error }) => void events.push(error.code),
    },
    ...options,
  });
  let version = 1;
  const set = (rollout: Omit<RolloutConfig, "version">) => source.set(rollouts(++version, rollout));
  const turn = (handlers: Partial<EngineHandlers<string>> = {}, session = "s1") =>
    router.route(
      "f",
      { session },
      {
        legacy: () => "legacy",
        next: () => "new",
        outcome: () => "ok" as const,
        handover: () => void events.push("handover"),
        ...handlers,
      },
    );
  return { clock, flags, router, set, turn, events };
}

/** A turn on the new engine that ends when told to. */
function held(obeys = true) {
  let release!: (answer: string) => void;
  const next = ({ signal }: RouteTurn) =>
    new Promise<string>((resolve, reject) => {
      release = resolve;
      if (obeys) signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  return { next, release: (answer: string) => release(answer) };
}

describe("a kill while a turn is in flight", () => {
  it("lets the turn finish, and the next one waits for it before the handover", async () => {
    const { set, turn, events } = setUp();
    const { next, release } = held();
    const first = turn({ next }).finally(() => events.push("first ended"));
    await tick();
    set({ kill });
    const second = turn({ legacy: () => (events.push("legacy"), "legacy") });
    await tick();
    expect(events).toEqual([]);
    release("new, in peace");
    expect(await first).toBe("new, in peace");
    expect(await second).toBe("legacy");
    expect(events).toEqual(["first ended", "handover", "legacy"]);
  });

  it("cuts a turn off that is not over by the deadline", async () => {
    const { set, turn, clock } = setUp({ onKill: { policy: "finish", deadlineMs: 10_000 } });
    const first = turn({ next: held().next });
    const outcome = expect(first).rejects.toMatchObject({ code: "ABORTED", retryable: true });
    await tick();
    set({ kill });
    await clock.advance(9_999);
    const second = turn();
    await clock.advance(1);
    await outcome;
    expect(await second).toBe("legacy");
  });

  it("cancels at once where the policy says so; a turn that ignores its signal holds neither its caller nor, past the deadline, its session", async () => {
    const { set, turn, clock, events } = setUp({ onKill: { policy: "cancel", deadlineMs: 5_000 } });
    const first = turn({ next: held(false).next });
    const outcome = expect(first).rejects.toMatchObject({ code: "ABORTED" });
    await tick();
    set({ kill });
    await outcome;
    const second = turn();
    await clock.advance(4_999);
    expect(events).toEqual([]);
    await clock.advance(1);
    expect(await second).toBe("legacy");
    expect(events).toEqual(["handover"]);
  });

  it("runs a cancelled turn on legacy instead, where it is safe to repeat", async () => {
    const { set, turn, events } = setUp({ onKill: { policy: "cancel" } });
    const first = turn({ next: held().next, safeToRepeat: true });
    await tick();
    set({ kill });
    expect(await first).toBe("legacy");
    expect(events).toEqual(["handover"]);
  });

  it("leaves turns alone whose session is not cut", async () => {
    const { set, turn } = setUp({ onKill: { policy: "cancel" } });
    const { next, release } = held();
    const first = turn({ next });
    await tick();
    set({ canary: { percent: 0 } });
    await tick();
    release("new");
    expect(await first).toBe("new");
  });

  it("passes the caller's abort on, and does not fall back then", async () => {
    const { turn } = setUp();
    const controller = new AbortController();
    const first = turn({ next: held().next, safeToRepeat: true, signal: controller.signal });
    const outcome = expect(first).rejects.toMatchObject({ code: "ABORTED" });
    await tick();
    controller.abort();
    await outcome;
  });

  it("runs two first turns of one session, and one handover", async () => {
    const { set, turn, events } = setUp();
    await turn();
    set({ kill });
    expect(await Promise.all([turn(), turn(), turn()])).toEqual(["legacy", "legacy", "legacy"]);
    expect(events).toEqual(["handover"]);
  });
});

describe("the local breaker", () => {
  const failing = { next: () => Promise.reject(new Error("down")) };
  const fails = (work: Promise<string>) => expect(work).rejects.toThrow("down");

  it("opens after failures in a row, sends everybody to legacy, closes by itself, and doubles the next time", async () => {
    const { turn, clock, events, flags } = setUp({ breaker: { consecutive: 3, openMs: 1_000 } });
    for (let round = 0; round < 2; round++) {
      for (let count = 0; count < 3; count++) await fails(turn(failing, `r${round}c${count}`));
      expect(await turn({}, `waiting${round}`)).toBe("legacy");
      expect(flags.decide("f", { session: "x" })).toMatchObject({ mode: "legacy", reason: "BREAKER" });
      await clock.advance(1_000 * 2 ** round);
      expect(flags.decide("f", { session: "x" }).mode).toBe("new");
    }
    expect(events.filter((event) => event !== "handover")).toEqual([
      "opened 1000 consecutive",
      "closed",
      "opened 2000 consecutive",
      "closed",
    ]);
  });

  it("opens on the share of failures of a full window", async () => {
    const { turn, events } = setUp({ breaker: { consecutive: 100, window: 10, share: 0.3 } });
    for (let count = 0; count < 10; count++)
      await (count % 4 === 0 ? fails(turn(failing, `s${count}`)) : turn({}, `s${count}`));
    expect(events).toEqual(["opened 30000 share"]);
  });

  it("does not count what the caller aborted, nor anything when it is off", async () => {
    const { turn, events } = setUp({ breaker: { consecutive: 1 } });
    const outcome = expect(turn({ next: held().next, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
    await outcome;
    const off = setUp({ breaker: false });
    for (let count = 0; count < 20; count++) await fails(off.turn(failing, `s${count}`));
    expect([...events, ...off.events]).toEqual([]);
  });

  it("keeps a session on the new engine that has no way back, until somebody kills the flag", async () => {
    const { router, flags } = setUp({ hasLegacyHistory: () => false });
    const handlers = { legacy: () => "legacy", next: () => "new", outcome: () => "ok" as const };
    expect(await router.route("f", { session: "s" }, handlers)).toBe("new");
    flags.setBreaker("f", true);
    expect(await router.route("f", { session: "s" }, handlers)).toBe("new");
    expect(await router.route("f", { session: "other" }, handlers)).toBe("legacy");
  });
});

describe("without the assignment store", () => {
  const down: AssignmentStore = {
    read: () => Promise.reject(new Error("ECONNREFUSED")),
    write: () => Promise.reject(new Error("ECONNREFUSED")),
  };

  it("takes an execution in the new engine for an assignment, else the bucket; a kill is legacy still, with a handover", async () => {
    const { turn, set, events } = setUp({ assignments: down, servedByNew: (session) => session === "served" });
    set({ canary: { percent: 0 } });
    expect(await turn({}, "served")).toBe("new");
    expect(await turn({}, "other")).toBe("legacy");
    set({ canary: { percent: 100 } });
    expect(await turn({}, "other")).toBe("new");
    set({ canary: { percent: 100 }, kill });
    expect(await turn({}, "served")).toBe("legacy");
    expect(events.filter((event) => event === "handover")).toHaveLength(1);
    expect(events).toContain("UNREACHABLE");
  });

  it("does not wait for a store that hangs", async () => {
    const hanging: AssignmentStore = { read: () => new Promise(() => {}), write: () => new Promise(() => {}) };
    const { turn, clock } = setUp({ assignments: hanging, assignmentTimeoutMs: 100 });
    const answer = turn();
    await clock.advance(100);
    await clock.advance(100);
    expect(await answer).toBe("new");
  });

  it("after a restart that lost the assignments hands over, since when it does not know", async () => {
    const { turn, set } = setUp({ servedByNew: () => true });
    set({ kill });
    const since: unknown[] = [];
    await turn({ handover: (request) => void since.push(request.since, request.id) });
    await turn({ handover: (request) => void since.push(request.since) });
    expect(since).toEqual([undefined, "handover:f:s1:unknown"]);
  });

  it("gives way to another process that wrote first", async () => {
    const store = memoryAssignments();
    let raced = false;
    const racing: AssignmentStore = {
      read: (flag, session) => store.read(flag, session),
      async write(assignment) {
        if (!raced) {
          raced = true;
          await store.write({ ...assignment, mode: "legacy", newSince: undefined });
        }
        return store.write(assignment);
      },
    };
    const { turn } = setUp({ assignments: racing });
    expect(await turn()).toBe("legacy");
  });
});

describe("the router's options", () => {
  it("are checked, with a suggestion", () => {
    const { flags } = setUp();
    expect(() => createRouter({ flags, idleMS: 3 } as never)).toThrow(/did you mean `idleMs`/);
    expect(() => createRouter({ flags: {} as never })).toThrow(HebraError);
  });

  it("leave no timer behind", async () => {
    const { turn, clock, router, flags } = setUp({ breaker: { consecutive: 1 } });
    await expect(turn({ next: () => Promise.reject(new Error("x")) })).rejects.toThrow();
    router.close();
    await flags.close();
    expect(clock.pending()).toBe(0);
  });
});
