import { createManualClock } from "@hebra/core";
import { lockKey } from "@hebra/lock";
import type { Cluster, Redis } from "ioredis";
import type { BusEvent } from "../client/bus-events.ts";
import type { BusContractHarness } from "../contract/harness.ts";
import { openRedisBus, type RedisBus } from "../redis/redis-bus.ts";
import type { RedisBackend } from "../redis/backend.ts";
import { ioredisCommands, type IoredisClient, type RedisCommands } from "../redis/commands.ts";
import { createFreezer } from "./freezable.fixture.ts";

let namespaces = 0;

/** A namespace that nobody used before. */
export function freshNamespace(): string {
  return `test${process.pid}.${Date.now().toString(36)}.${++namespaces}`;
}

/** Counts the calls that are out, so that a test can wait until nothing happens any more. */
function counting(commands: RedisCommands, calls: { out: number }): RedisCommands {
  const count = async <T>(call: Promise<T>): Promise<T> => {
    calls.out++;
    try {
      return await call;
    } finally {
      calls.out--;
    }
  };
  return {
    ...commands,
    evalsha: (...args) => count(commands.evalsha(...args)),
    eval: (...args) => count(commands.eval(...args)),
    call: (...args) => count(commands.call(...args)),
  };
}

/** The contract's harness on a real server or cluster, in logical time: the scripts are sent the clock's. */
export function redisHarness(
  connect: () => Redis | Cluster,
): BusContractHarness & { close(): Promise<void>; readonly namespace: string } {
  const clock = createManualClock();
  const leaseMs = 10_000;
  const namespace = freshNamespace();
  const calls = { out: 0 };
  const buses: RedisBus[] = [];
  const clients: (Redis | Cluster)[] = [];
  let backend: RedisBackend | undefined;
  const quiet = async () => {
    for (let still = 0; still < 3;) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      still = calls.out === 0 ? still + 1 : 0;
    }
  };
  return {
    leaseMs,
    namespace,
    async connect(options = {}) {
      const events: BusEvent[] = [];
      const freezer = createFreezer();
      const client = connect();
      clients.push(client);
      const bus = openRedisBus(
        {
          ...options,
          namespace,
          leaseMs,
          clock: freezer.clock(clock),
          random: () => 0.5,
          onEvent: (event) => events.push(event),
          client: counting(ioredisCommands(client as unknown as IoredisClient, true), calls),
        },
        {
          time: () => clock.now(),
          wrap(made) {
            backend = made;
            return freezer.backend(made) as RedisBackend;
          },
        },
      );
      buses.push(bus);
      await bus.ready();
      return { bus, events, freeze: freezer.freeze, thaw: freezer.thaw };
    },
    async elapse(ms) {
      // Small enough for renewals to arrive in between; an hour in which nothing is held needs no such care.
      const step = Math.max(500, ms / 100);
      for (let left = ms; left > 0; left -= step) {
        await clock.advance(Math.min(left, step));
        await quiet();
      }
      if (ms > 0) return;
      await clock.advance(0);
      await quiet();
    },
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
      await backend!.publish("in", backend!.partitionOf(entry.conversation), [entry], "memory");
    },
    async close() {
      await Promise.allSettled(
        buses.map((bus) => Promise.race([bus.close(), new Promise((resolve) => setTimeout(resolve, 50))])),
      );
      for (const client of clients) client.disconnect();
    },
  };
}
