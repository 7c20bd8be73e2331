import { HebraError, type ErrorCode } from "@hebra/core";
import { localBus, type Bus, type BusEvent } from "@hebra/bus";
import { describe, expect, it } from "vitest";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { createRuntime } from "./runtime.ts";
import { echoThread, memoryChannel } from "./runtime.fixture.ts";

/** A store whose first `begin` fails. */
function failingOnce(code: ErrorCode, retryable: boolean): ThreadStore {
  const store = memoryStore();
  let failed = false;
  return {
    ...store,
    begin(...args) {
      if (failed) return store.begin(...args);
      failed = true;
      return Promise.reject(new HebraError(code, "Not now.", { retryable }));
    },
  };
}

/** Says one thing to a runtime over a bus that gives a message up after its first counted attempt. */
async function sayOver(store: ThreadStore) {
  const attempts: number[] = [];
  const onEvent = (event: BusEvent) => {
    if (event.type === "delivery-started" && event.direction === "inbound") attempts.push(event.attempt);
  };
  const bus = localBus({ retry: { maxAttempts: 1 }, onEvent }) as Bus;
  const runtime = createRuntime({ threads: [echoThread()], store, bus });
  const channel = memoryChannel();
  await runtime.gateway({ channels: [channel] });
  await channel.publish({ id: "1", chat: "ana", text: "hi" });
  return { runtime, bus, channel, attempts };
}

describe("a message whose turn could not begin", () => {
  it.concurrent.each(["UNREACHABLE", "TIMEOUT", "STORE_LOCKED", "CONTEXT_MIGRATING", "LOCK_TIMEOUT"] as const)(
    "because of %s, which is not its fault, is tried again and no attempt counted",
    async (code) => {
      const { runtime, bus, channel, attempts } = await sayOver(failingOnce(code, true));
      expect(await channel.received(1)).toMatchObject([{ text: "echo: hi" }]);
      expect(attempts).toEqual([attempts[0], attempts[0]]);
      expect((await bus.stats()).dead).toBe(0);
      await runtime.close();
      await bus.close();
    },
  );

  it("because of what does not pass is given up", async () => {
    const { runtime, bus, channel, attempts } = await sayOver(failingOnce("STORE_FAILED", false));
    await expect.poll(async () => (await bus.stats()).dead, { timeout: 20_000 }).toBe(1);
    expect([channel.replies, attempts.length]).toEqual([[], 1]);
    await runtime.close();
    await bus.close();
  });
});
