import { createRolloutController, createRolloutService, memoryRolloutStore, rolloutPlan } from "@hebra/flags/rollout";
import { localLocks } from "@hebra/lock";
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { test } from "vitest";

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 15_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, "waited too long");
    await wait(20);
  }
}

test(
  "two rollout controllers share @hebra/lock: one leads, writes with its lease's fence, and the other takes over at once when it closes",
  { timeout: 60_000 },
  async () => {
    const locks = localLocks();
    const store = memoryRolloutStore();
    const service = createRolloutService({ store });
    const plan = rolloutPlan({
      owner: "tests",
      shadow: { evidence: [], leastMs: 0, minCompared: 0 },
      steps: [{ percent: 10, automatic: true }],
    });
    await service.act("engine", { event: "start", by: "ana", reason: "test", plan });
    await service.act("engine", { event: "advance", by: "ana", reason: "test" });
    const [first, second] = [1, 2].map(() => createRolloutController({ service, locks, tickMs: 20 }));
    first!.start();
    second!.start();
    await until(async () => (await store.read("engine"))?.phase.name === "canary");
    assert.deepEqual([first!.leading(), second!.leading()], [true, false]);
    assert.ok((await store.read("engine"))!.fence > 0);
    await first!.close();
    await until(() => second!.leading());
    assert.equal(first!.leading(), false);
    await second!.close();
    await locks.close();
  },
);
