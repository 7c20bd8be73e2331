import { describe, expect, it } from "vitest";
import { createManualClock } from "@hebra/core";
import { localLocks } from "@hebra/lock";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { action, expectSettled, scripted, setUp } from "./engine.fixture.ts";

const pay = (name: string) => ({ name, input: { of: name } });
const paying = (over: Parameters<typeof scripted>[1] = {}) =>
  scripted([{ text: "May I?", actions: [pay("look"), pay("refund")] }, { text: "Done." }], {
    actions: {
      look: action(() => "seen"),
      refund: action(() => "paid", { approval: { reason: "Money leaves the house.", expiresInMs: 60_000 } }),
    },
    ...over,
  });

/** A turn that waits for a person, in an engine that is gone. */
async function waitingTurn(store: ThreadStore = memoryStore()) {
  const clock = createManualClock();
  const definition = paying();
  const first = setUp(definition, { store, clock, locks: localLocks({ clock }) });
  const turn = await first.engine.react(definition, { id: "a", text: "a" }, { address: first.address });
  const { status, approvals } = await turn.result;
  expect(status).toBe("waiting");
  await first.engine.idle();
  await first.engine.close();
  const next = () => setUp(definition, { store, clock, locks: localLocks({ clock }) }).engine;
  return { store, clock, turn, approvalId: approvals[0]!.id, next };
}

describe("recover finds a waiting turn", () => {
  it("whose approval was decided by a process that died before it woke anybody", async () => {
    for (const [decision, last] of [
      ["approved", "succeeded"],
      ["denied", "failed"],
    ] as const) {
      const { store, clock, turn, approvalId, next } = await waitingTurn();
      const engine = next();
      expect(await engine.recover({ olderThanMs: -1 })).toBe(0);
      // This much of `approve` happens, and no more.
      await store.decideApproval("default", approvalId, { decision, at: clock.now() });
      expect(await engine.recover({ olderThanMs: -1 })).toBe(1);
      await engine.idle();
      expect((await store.execution("default", turn.executionId))?.execution.status).toBe("completed");
      expect(
        (await store.execution("default", turn.executionId))?.parts.find(
          ({ content }) => content.kind === "action" && content.name === "refund",
        )?.content,
      ).toMatchObject({ status: last });
      expect(await engine.recover({ olderThanMs: -1 })).toBe(0);
      await expectSettled(store);
    }
  });

  it("that was cancelled by a process that died before it woke anybody", async () => {
    const { store, clock, turn, next } = await waitingTurn();
    await store.requestCancel("default", turn.executionId, { at: clock.now() });
    const engine = next();
    expect(await engine.recover()).toBe(1);
    await engine.idle();
    expect((await store.execution("default", turn.executionId))?.execution.status).toBe("cancelled");
    await expectSettled(store);
  });

  it("whose approval has expired while the process that minded it was gone", async () => {
    const { store, clock, turn, next } = await waitingTurn();
    const engine = next();
    await clock.advance(59_999);
    expect(await engine.recover()).toBe(0);
    await clock.advance(1);
    expect(await engine.recover()).toBe(1);
    await engine.idle();
    const graph = (await store.execution("default", turn.executionId))!;
    expect([graph.execution.status, graph.approvals[0]!.status]).toEqual(["completed", "expired"]);
    await expectSettled(store);
  });

  it("and tells whoever does the work, where this process does not", async () => {
    const { store, clock, turn, approvalId } = await waitingTurn();
    await store.decideApproval("default", approvalId, { decision: "approved", at: clock.now() });
    const woken: unknown[] = [];
    const { engine } = setUp(paying(), { store, clock, wake: (at) => void woken.push(at.contextId) });
    expect(await engine.recover()).toBe(1);
    expect(woken).toEqual([turn.contextId]);
    await engine.close();
  });

  it("of a definition that it has, however many others there are", async () => {
    const { store, clock, approvalId, next } = await waitingTurn();
    await store.decideApproval("default", approvalId, { decision: "approved", at: clock.now() });
    const { engine: stranger } = setUp(paying({ name: "stranger" }), { store, clock });
    expect(await stranger.recover()).toBe(0);
    const engine = next();
    expect(await engine.recover({ limit: 1 })).toBe(1);
    await engine.idle();
  });
});

describe("a turn that is about to wait", () => {
  it.each(["approved", "denied", "cancelled"] as const)("hears first what came in the meantime: %s", async (what) => {
    const inner = memoryStore();
    let waits = 0;
    const store: ThreadStore = {
      ...inner,
      // Silent: it must not depend on being told.
      watch: () => () => {},
      async commit(tenant, contextId, guard, changes) {
        const [execution] = changes.executions ?? [];
        if (execution?.status === "waiting" && waits++ === 0) {
          const [approval] = (await inner.execution(tenant, execution.id))!.approvals;
          if (what === "cancelled") await inner.requestCancel(tenant, execution.id, { at: 1 });
          else await inner.decideApproval(tenant, approval!.id, { decision: what, at: 1 });
        }
        return inner.commit(tenant, contextId, guard, changes);
      },
    };
    const definition = paying();
    const { engine, address } = setUp(definition, { store, settleWindowMs: 0 });
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    expect((await turn.result).status).toBe(what === "cancelled" ? "cancelled" : "completed");
    await engine.idle();
    expect(waits).toBeGreaterThan(0);
    expect(await inner.system().due({ now: Number.MAX_SAFE_INTEGER })).toEqual([]);
    await expectSettled(store);
  });
});

describe("the time that a turn may take", () => {
  it("does not run while it waits for a person, however long that takes", async () => {
    const clock = createManualClock();
    const store = memoryStore();
    const policy = { maxDurationMs: 10_000 };
    const definition = scripted([{ actions: [pay("refund")] }, { actions: [pay("refund")] }, { text: "Done." }], {
      policy,
      actions: { refund: action(() => "paid", { approval: true }) },
    });
    const { engine, address } = setUp(definition, { store, clock, locks: localLocks({ clock }) });
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    await turn.result;
    for (let asked = 0; asked < 2; asked++) {
      await engine.idle();
      await clock.advance(1_000_000);
      const { approvals } = (await store.execution("default", turn.executionId))!;
      await engine.approve(approvals.find(({ status }) => status === "pending")!.id);
    }
    await engine.idle();
    expect((await store.execution("default", turn.executionId))?.execution).toMatchObject({
      status: "completed",
      outcome: "stop",
    });
    await expectSettled(store);
  });

  it("ends a turn that has taken it, the waiting left out", async () => {
    const clock = createManualClock();
    const store = memoryStore();
    let started = () => {};
    const running = new Promise<void>((resolve) => (started = resolve));
    const slow = action(
      () => {
        started();
        return new Promise(() => {});
      },
      { approval: true, timeoutMs: 1_000_000 },
    );
    const definition = scripted([{ actions: [pay("slow")] }, { text: "Done." }], {
      policy: { maxDurationMs: 10_000 },
      actions: { slow },
    });
    const { engine, address } = setUp(definition, { store, clock, locks: localLocks({ clock }) });
    const turn = await engine.react(definition, { id: "a", text: "a" }, { address });
    const { approvals } = await turn.result;
    await engine.idle();
    await clock.advance(500_000);
    await engine.approve(approvals[0]!.id);
    await running;
    await clock.advance(9_999);
    expect((await store.execution("default", turn.executionId))?.execution.status).toBe("running");
    await clock.advance(1);
    await engine.idle();
    expect((await store.execution("default", turn.executionId))?.execution).toMatchObject({
      status: "incomplete",
      outcome: "max-duration",
    });
    await expectSettled(store);
  });
});
