import assert from "node:assert/strict";
import { createManualClock, silentLogger } from "@hebra/core";
import { localBus, type Bus, type BusStats } from "@hebra/bus";
import { localLocks } from "@hebra/lock";
import { test } from "vitest";
import { sqliteStore } from "../store/sqlite.ts";
import { watchQueues } from "./queue-watch.ts";

const INTERVAL = 10_000;

test("one of many processes samples the queues, the others export its sample, and another takes over [BU-1]", async () => {
  const clock = createManualClock();
  const store = await sqliteStore({ path: ":memory:" });
  const locks = localLocks({ clock });
  const bus = localBus({ clock }) as Bus;
  await bus.publishInbound({ session: "a", payload: 1 });
  const samples = [0, 0, 0];
  const exported: BusStats[][] = [[], [], []];
  const stops = samples.map((_, n) =>
    watchQueues({
      bus: {
        ...bus,
        stats: () => {
          samples[n]!++;
          return bus.stats();
        },
      },
      store,
      locks,
      metrics: { queues: (stats) => void exported[n]!.push(stats) },
      clock,
      logger: silentLogger,
      busIsLocal: false,
    }),
  );
  const total = () => samples.reduce((sum, count) => sum + count, 0);
  const pass = async (intervals: number) => {
    for (let step = 0; step < intervals * 10; step++) await clock.advance(INTERVAL / 10);
  };
  await pass(6);
  assert.equal(samples.filter((count) => count > 0).length, 1, "one process samples");
  assert.ok(total() >= 6 && total() <= 8, `${total()} samples in six intervals`);
  for (const one of exported) {
    assert.ok(one.length >= 5, "every process exports");
    assert.equal(one.at(-1)!.inbound.depth, 1);
  }
  const first = samples.findIndex((count) => count > 0);
  await stops[first]!();
  const before = total();
  await pass(4);
  assert.ok(
    samples.some((count, n) => n !== first && count > 0),
    "another has taken over",
  );
  assert.ok(total() - before >= 3 && total() - before <= 6);
  await Promise.all(stops.map((stop) => stop()));
  await locks.close();
  await bus.close();
  await store.close();
});
