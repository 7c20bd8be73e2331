import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createManualClock, errorCode } from "@hebra/core";
import { lockKey } from "@hebra/lock";
import { describe, expect, it } from "vitest";
import type { BusEvent } from "./client/bus-events.ts";
import { parseBusOptions } from "./bus-options.ts";
import { busContract } from "./bus.contract.ts";
import type { BusContractHarness } from "./contract/harness.ts";
import { createBus } from "./client/create-bus.ts";
import { localBackends, localBus } from "./local.ts";
import { createFreezer } from "./testing/freezable.fixture.ts";

function localHarness(): BusContractHarness {
  const clock = createManualClock();
  const leaseMs = 10_000;
  let backends: ReturnType<typeof localBackends> | undefined;
  return {
    leaseMs,
    async connect(options = {}) {
      backends ??= localBackends(parseBusOptions("localBus", { ...options, leaseMs, clock }));
      const events: BusEvent[] = [];
      const freezer = createFreezer();
      const settings = parseBusOptions("localBus", {
        ...options,
        leaseMs,
        clock: freezer.clock(clock),
        random: () => 0.5,
        onEvent: (event) => events.push(event),
      });
      return {
        bus: createBus({ backend: freezer.backend(backends()), settings, durability: "memory" }).bus,
        events,
        freeze: freezer.freeze,
        thaw: freezer.thaw,
      };
    },
    elapse: (ms) => clock.advance(ms),
    async inject({ tenant, session }, body) {
      const entry = {
        conversation: lockKey(tenant, session),
        dedupKey: undefined,
        id: "injected",
        body,
        delayMs: 0,
        interrupt: false,
        high: false,
      };
      await backends!().publish("in", 0, [entry], "memory");
    },
  };
}

describe("the local bus", () => {
  for (const [title, clause] of Object.entries(busContract)) it(title, () => clause(localHarness()));

  it("says that its messages end with the process, and refuses more", async () => {
    const bus = localBus();
    const [receipt] = await bus.publishInbound({ session: "a", payload: 1 });
    expect(receipt).toMatchObject({ status: "accepted", durable: false });
    await expect(bus.publishInbound({ session: "a", payload: 1 }, { durability: "fsync" })).rejects.toSatisfy(
      (error) => errorCode(error) === "DURABILITY_UNSUPPORTED",
    );
    await bus.close();
  });

  it("gives a newer envelope to whoever reads it, however eager the older release is", async () => {
    const clock = createManualClock();
    const settings = parseBusOptions("localBus", { leaseMs: 10_000, clock });
    const backends = localBackends(settings);
    const handled: string[] = [];
    const open = (newestFormat: number) => {
      const { bus } = createBus({ backend: backends(), settings, durability: "memory", newestFormat });
      const work = async () => {
        for await (const delivery of bus.consumeInbound()) {
          handled.push(delivery.session);
          await delivery.ack();
        }
      };
      void work();
      return bus;
    };
    // The first to ask is served first, at every time that something becomes due.
    const older = open(1);
    await clock.advance(0);
    const newer = open(2);
    await clock.advance(0);
    const sessions = ["a", "b", "c", "d", "e"];
    for (const session of sessions) {
      const body = JSON.stringify({ v: 2, enqueuedAt: 1, id: `m-${session}`, tenant: "default", session, payload: 1 });
      const conversation = lockKey("default", session);
      await backends().publish(
        "in",
        0,
        [{ conversation, dedupKey: undefined, id: `m-${session}`, body, delayMs: 0, interrupt: false, high: false }],
        "memory",
      );
    }
    for (let i = 0; i < 10; i++) await clock.advance(100);
    expect([...handled].sort()).toEqual(sessions);
    expect(older.health().state).toBe("upgrade-required");
    expect(newer.health().ready).toBe(true);
    await Promise.all([older.close(), newer.close()]);
    expect(clock.pending()).toBe(0);
  });

  it("refuses options that it does not know", () => {
    expect(() => localBus({ leasMs: 5 } as never)).toThrow(/did you mean `leaseMs`/);
    expect(() => localBus({ dedupWindowMs: 1_000 })).toThrow(/retry\.maxAgeMs/);
  });

  it("has no Redis client and no Redis adapter in its import graph", () => {
    const seen = new Set<string>();
    const visit = (file: string) => {
      if (seen.has(file)) return;
      seen.add(file);
      const source = readFileSync(file, "utf8");
      for (const [, name] of source.matchAll(/(?:from|import)\s*\(?"([^"]+)"/g)) {
        expect(name).not.toMatch(/ioredis|^\.\/redis/);
        if (name!.startsWith(".")) visit(join(dirname(file), name!));
      }
    };
    visit(fileURLToPath(new URL("index.ts", import.meta.url)));
    expect(seen.size).toBeGreaterThan(15);
  });

  it("leaves no timer behind when closed", async () => {
    const clock = createManualClock();
    const bus = localBus({ clock });
    const deliveries = bus.consumeInbound();
    await bus.publishInbound({ session: "a", payload: 1 });
    await deliveries.next();
    await bus.claim({ session: "b" });
    await bus.close();
    expect(clock.pending()).toBe(0);
  });
});
