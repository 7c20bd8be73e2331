import { HebraError } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { createRolloutController, type ControllerLocks } from "./controller.ts";
import { replayEvidence, verifyEvidence } from "./evidence.ts";
import { phaseLabel } from "./phase.ts";
import { bare, createWorld, FLAG, type World } from "./rollout-world.fixture.ts";
import { redisRolloutStore } from "./store/redis.ts";

/** Leases that a test hands out; `partition` lets another be elected while the first holder hears nothing of it. */
function scriptedLocks() {
  let fence = 1_767_225_600_000_000;
  const waiting: ((lease: Awaited<ReturnType<ControllerLocks["acquire"]>>) => void)[] = [];
  const locks: ControllerLocks = {
    acquire: (_, options) =>
      new Promise((resolve, reject) => {
        waiting.push(resolve);
        options?.signal?.addEventListener("abort", () => reject(new HebraError("ABORTED", "Closed.")), { once: true });
      }),
  };
  return {
    locks,
    elect() {
      const lost = new AbortController();
      waiting.shift()!({ fence: ++fence, signal: lost.signal, release: async () => {} });
      return { fence, lose: () => lost.abort() };
    },
  };
}

async function toCanary(world: World): Promise<void> {
  await world.start(bare);
  await world.service.act(FLAG, { event: "advance", by: "ana", reason: "beta is over" });
  await world.traffic(2, 200);
  await world.service.act(FLAG, { event: "advance", by: "ana", reason: "shadow is clean" });
}

/** A reads the facts, is cut off, B is elected and acts; then A comes back and tries what it had decided. */
async function partition(world: World): Promise<void> {
  await toCanary(world);
  await world.traffic(4, 200);
  const [first, second] = [1_000, 2_000];
  const before = (await world.store.read(FLAG))!;
  const stale = await world.service.facts(before);
  const [advanced] = await world.controller.tick(first);
  expect(advanced).toMatchObject({ action: "advanced", phase: "canary(1)" });
  await world.traffic(4, 400, { new: { failing: 0.3 } });
  const [rolledBack] = await world.controller.tick(second);
  expect(rolledBack).toMatchObject({ action: "rolled-back" });

  // With what it knew before the cut: another revision.
  const late = world.service.act(
    FLAG,
    { event: "advance", by: "controller", reason: "late", expectedRevision: before.revision },
    { facts: stale, fence: first },
  );
  await expect(late).rejects.toMatchObject({ code: "ROLLOUT_CONFLICT" });
  // With fresh facts but the old leadership: the fence.
  await world.clock.advance(3_600_000);
  const fresh = world.service.act(
    FLAG,
    { event: "reset", by: "controller", reason: "late", to: "shadow" },
    { fence: first },
  );
  await expect(fresh).rejects.toMatchObject({ code: "STALE_FENCE" });
  const state = (await world.store.read(FLAG))!;
  expect(phaseLabel(state.phase)).toBe("rolledBack(canary(1))");
  const records = await world.store.evidence(FLAG);
  expect(records.filter((record) => record.fence >= first).map((record) => [record.fence, record.event])).toEqual([
    [first, "advance"],
    [second, "rollback"],
  ]);
  verifyEvidence(records, state.head);
  expect(replayEvidence(records).every((one) => one.agrees)).toBe(true);
}

describe("two controllers", () => {
  it("make one transition each when one is partitioned, and the stale one is refused", () => partition(createWorld()));

  it.skipIf(process.env["REDIS_URL"] === undefined)("the same over Redis (needs REDIS_URL)", async () => {
    const store = redisRolloutStore({ url: process.env["REDIS_URL"]!, namespace: `two-${process.pid}-${Date.now()}` });
    await partition(createWorld({ store }));
    await store.close();
  });

  it("elect one leader; when its lease ends the next one goes on with a larger fence, and no timer is left after both close", async () => {
    const world = createWorld();
    const { locks, elect } = scriptedLocks();
    const make = () => createRolloutController({ service: world.service, locks, clock: world.clock, tickMs: 30_000 });
    const [a, b] = [make(), make()];
    a.start();
    b.start();
    await toCanary(world);
    const first = elect();
    await world.clock.advance(0);
    expect([a.leading(), b.leading()]).toEqual([true, false]);
    await world.traffic(4, 200);
    await world.clock.advance(30_000);
    expect((await world.store.read(FLAG))!.fence).toBe(first.fence);
    first.lose();
    const second = elect();
    await world.clock.advance(0);
    expect([a.leading(), b.leading()]).toEqual([false, true]);
    await world.traffic(4, 400, { new: { failing: 0.3 } });
    await world.clock.advance(30_000);
    expect(await world.store.read(FLAG)).toMatchObject({ fence: second.fence, phase: { name: "rolledBack" } });
    await Promise.all([a.close(), b.close()]);
    expect(world.clock.pending()).toBe(0);
  });

  it("keep ticking when a tick fails, and report it", async () => {
    const world = createWorld();
    await toCanary(world);
    const errors: unknown[] = [];
    const controller = createRolloutController({
      service: world.service,
      clock: world.clock,
      tickMs: 1_000,
      onError: (error) => void errors.push(error),
    });
    const list = world.store.list.bind(world.store);
    world.store.list = () => Promise.reject(new HebraError("UNREACHABLE", "away"));
    controller.start();
    await world.clock.advance(2_500);
    expect(errors).toHaveLength(3);
    world.store.list = list;
    await world.traffic(4, 200);
    expect(phaseLabel((await world.store.read(FLAG))!.phase)).toBe("canary(1)");
    await controller.close();
    expect(world.clock.pending()).toBe(0);
  });
});
