import assert from "node:assert/strict";
import { test } from "vitest";
import { parseBusOptions } from "./bus-options.ts";
import { createBus } from "./client/create-bus.ts";
import { localBackends } from "./local.ts";

test("in process, all that a turn of the event loop settles and claims shares one exchange [PF-4]", async () => {
  const settings = parseBusOptions("pump", {});
  const backend = localBackends(settings)();
  let exchanges = 0;
  const counting = {
    ...backend,
    exchange: (...args: Parameters<typeof backend.exchange>) => {
      exchanges++;
      return backend.exchange(...args);
    },
  };
  const { bus } = createBus({ backend: counting, settings, durability: "memory" });
  const count = 2_000;
  await bus.publishInbound(Array.from({ length: count }, (_, i) => ({ session: `s${i}`, payload: i })));
  let handled = 0;
  for await (const delivery of bus.consumeInbound({ concurrency: 64 })) {
    void delivery.ack();
    if (++handled === count) break;
  }
  await bus.close();
  assert.ok(exchanges < count / 20, `${exchanges} exchanges for ${count} messages`);
});
