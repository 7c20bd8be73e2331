import fc from "fast-check";
import type { Redis } from "ioredis";
import { parseBusOptions, type BusOptions } from "../bus-options.ts";
import { redisBackend } from "../redis/backend.ts";
import { ioredisCommands, type IoredisClient } from "../redis/commands.ts";
import { partitionTags } from "../redis/partitions.ts";
import { anyStep, runModel, type Step } from "./model.fixture.ts";
import { mailboxSubject, modelOptions, redisSubject, toSettings } from "./model-subjects.fixture.ts";
import { freshNamespace } from "./redis-harness.fixture.ts";

/**
 * That the scripts on a server answer every step as the state machine of the local bus does, in logical time, and keep
 * the invariant.
 */
export function scriptsAnswerAsTheModel(client: Redis, admin: Redis): fc.IAsyncProperty<[BusOptions, Step[]]> {
  return fc.asyncProperty(
    fc.constantFrom(...modelOptions),
    fc.array(anyStep, { minLength: 20, maxLength: 80, size: "max" }),
    async (options, steps) => {
      let now = 1_000_000;
      const namespace = freshNamespace();
      const backend = redisBackend({
        connect: async () => ioredisCommands(client as unknown as IoredisClient, false),
        namespace,
        partitions: 1,
        durability: "memory",
        replicas: 1,
        durabilityTimeoutMs: 100,
        requestTimeoutMs: 5_000,
        settings: parseBusOptions("model", { ...options, leaseMs: 10_000 }),
        newestFormat: 1,
        time: () => now,
      });
      await backend.start({ ready: () => true, willClaim: () => false, notice() {}, health() {} }, "h");
      try {
        const subjects = [
          mailboxSubject(toSettings(options), () => now),
          redisSubject(backend, admin, `${namespace}:{${partitionTags(1)[0]!}}:`),
        ];
        await runModel(steps, subjects, (ms) => void (now += ms));
      } finally {
        await backend.close();
      }
    },
  );
}
