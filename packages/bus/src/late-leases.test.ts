import { createManualClock, type ManualClock } from "@hebra/core";
import { describe, expect, it } from "vitest";
import type { Backend } from "./backend.ts";
import type { BusEvent } from "./client/bus-events.ts";
import { parseBusOptions } from "./bus-options.ts";
import { createBus } from "./client/create-bus.ts";
import { localBackends } from "./local.ts";

const leaseMs = 10_000;

/** A bus whose answers lie there for a while before it reads them, as those of a process that stands still do. */
function slowReader(clock: ManualClock, answersRenewals = true) {
  const events: BusEvent[] = [];
  const settings = parseBusOptions("test", { leaseMs, clock, onEvent: (event) => events.push(event) });
  const backends = localBackends(settings);
  let lateMs = 0;
  const backend: Backend = {
    ...backends(),
    async exchange(...args) {
      const reply = await made.exchange(...args);
      if (reply.leases.length > 0) await clock.advance(lateMs);
      return reply;
    },
    extend: (...args) => (answersRenewals ? made.extend(...args) : new Promise(() => {})),
  };
  const made = backends();
  const open = (of: Backend) => createBus({ backend: of, settings, durability: "memory" }).bus;
  return { bus: open(backend), another: open(backends()), events, late: (ms: number) => void (lateMs = ms) };
}

describe("a lease whose time is nearly over", () => {
  it("is not handed out once its time is over, and its message comes again without an attempt counted", async () => {
    const clock = createManualClock();
    const { bus, events, late } = slowReader(clock);
    await bus.publishInbound({ session: "a", id: "1", payload: 1 });
    late(leaseMs);
    const consumer = bus.consumeInbound();
    const next = consumer.next();
    await clock.advance(0);
    expect(events.filter(({ type }) => type === "delivery-started")).toEqual([]);
    late(0);
    await clock.advance(leaseMs);
    const { value } = await next;
    expect(value).toMatchObject({ session: "a", attempt: 1 });
    await value!.ack();
    await bus.close();
  });

  it("is renewed at once when little is left of it, so that nobody else gets it", async () => {
    const clock = createManualClock();
    const { bus, another, events, late } = slowReader(clock);
    await bus.publishInbound({ session: "a", id: "1", payload: 1 });
    late(leaseMs - 1_500);
    const { value } = await bus.consumeInbound().next();
    void another.consumeInbound().next();
    // Well before the usual third: it would be over by then.
    for (let step = 0; step < 20; step++) await clock.advance(100);
    expect(events.filter(({ type }) => type === "delivery-started")).toHaveLength(1);
    expect(value!.signal.aborted).toBe(false);
    await value!.ack();
    await Promise.all([bus.close(), another.close()]);
  });

  it("is given up before anybody else can have it, when renewals stay without an answer", async () => {
    const clock = createManualClock();
    const { bus, another, events } = slowReader(clock, false);
    await bus.publishInbound({ session: "a", id: "1", payload: 1 });
    const { value } = await bus.consumeInbound().next();
    const next = another.consumeInbound().next();
    const deliveries = () => events.filter(({ type }) => type === "delivery-started").length;
    while (!value!.signal.aborted) await clock.advance(50);
    // A timer that is late by so much does no harm.
    await clock.advance(900);
    expect(deliveries()).toBe(1);
    await clock.advance(200);
    expect((await next).value).toMatchObject({ attempt: 2 });
    expect(deliveries()).toBe(2);
    await Promise.all([bus.close(), another.close()]);
  });
});
