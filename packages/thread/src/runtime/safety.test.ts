import { HebraError } from "@hebra/core";
import { localBus, type Bus } from "@hebra/bus";
import { localLocks } from "@hebra/lock";
import { afterEach, describe, expect, it } from "vitest";
import { memoryStore } from "../store/memory.ts";
import type { ThreadStore } from "../store/store.ts";
import { openRuntime, parseRuntimeConfig, type RuntimeConfig } from "./config.ts";
import { createRuntime, type Runtime, type RuntimeOptions } from "./runtime.ts";
import { echoThread, memoryChannel } from "./runtime.fixture.ts";

const open: Runtime[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((runtime) => runtime.close()));
});
function make(over: Partial<RuntimeOptions> = {}): Runtime {
  const runtime = createRuntime({ threads: [echoThread()], store: memoryStore(), ...over });
  open.push(runtime);
  return runtime;
}
/** A bus that says, as the one on Redis does, that others see it too. */
const sharedBus = (): Bus => Object.assign(localBus() as Bus, { ready: async () => {} });
const storeOf = (scope: ThreadStore["scope"]): ThreadStore => ({ ...memoryStore(), scope });

const refusals: readonly [string, () => Partial<RuntimeOptions>, string][] = [
  [
    "several workers on a local bus",
    () => ({ workers: 2 }),
    "A local bus serves one process, and 2 workers are declared. Use a shared bus, or one worker.",
  ],
  [
    "a shared bus with local locks",
    () => ({ bus: sharedBus() }),
    "A shared bus with local locks would elect a leader in every process. Pass shared `locks` too.",
  ],
  [
    "a shared bus with local locks, also for one worker",
    () => ({ bus: sharedBus(), workers: 1 }),
    "A shared bus with local locks would elect a leader in every process. Pass shared `locks` too.",
  ],
  [
    "a store of one process under several workers",
    () => ({ bus: sharedBus(), locks: localLocks(), workers: 3 }),
    "3 workers cannot share a store that lives in one process. Use a shared store, or one worker.",
  ],
  [
    "a store of one process under several workers of one host",
    () => ({ bus: sharedBus(), locks: localLocks(), workers: 3, oneHost: true }),
    "3 workers cannot share a store that lives in one process. Use a shared store, or one worker.",
  ],
  [
    "a store of one host under several workers",
    () => ({ bus: sharedBus(), locks: localLocks(), workers: 3, store: storeOf("host") }),
    "3 workers cannot share a store of one host unless all run there. Use a shared store, or say `oneHost: true`.",
  ],
];

describe("a mix in which conversations could get lost or mixed up", () => {
  it.each(refusals)("is refused at the start: %s", (_name, mix, message) => {
    let refused: unknown;
    try {
      make(mix());
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(HebraError);
    expect(refused).toMatchObject({ code: "UNSUPPORTED", message, retryable: false });
  });

  it.each<[string, () => Partial<RuntimeOptions>]>([
    ["everything local", () => ({})],
    [
      "one worker on a store of its process, with the gateway elsewhere",
      () => ({ bus: sharedBus(), locks: localLocks(), workers: 1 }),
    ],
    [
      "several workers of one host on a store of that host",
      () => ({ bus: sharedBus(), locks: localLocks(), workers: 3, oneHost: true, store: storeOf("host") }),
    ],
    [
      "several workers on a shared store",
      () => ({ bus: sharedBus(), locks: localLocks(), workers: 30, store: storeOf("shared") }),
    ],
  ])("is told from a safe one: %s", (_name, mix) => {
    expect(make(mix())).toBeDefined();
  });
});

describe("a configuration", () => {
  // Nobody listens there: what is refused is refused before anything is asked of a server.
  const nowhere = "redis://user:s3cr3t@127.0.0.1:1";
  const bus = { backend: "redis" as const, url: nowhere };

  it.each<[string, RuntimeConfig, string, RegExp]>([
    [
      "a shared bus with local locks",
      { bus, store: { backend: "memory" } },
      "UNSUPPORTED",
      /^A shared bus with local locks/,
    ],
    [
      "a store in memory under several workers",
      { bus, locks: bus, store: { backend: "memory" }, workers: 2 },
      "UNSUPPORTED",
      /^2 workers cannot share a store that lives in one process/,
    ],
    [
      "a file under several workers",
      { bus, locks: bus, store: { backend: "sqlite", path: ":memory:" }, workers: 2 },
      "UNSUPPORTED",
      /^2 workers cannot share a store of one host/,
    ],
    [
      "several workers and nothing shared",
      { workers: 2, store: { backend: "memory" } },
      "UNSUPPORTED",
      /^A local bus serves one process, and 2 workers/,
    ],
    [
      "a backend without its address",
      { bus: { backend: "redis" } },
      "INVALID_OPTIONS",
      /^runtime config: `bus\.url`: is needed for the backend redis/,
    ],
    ["a backend that does not exist", { bus: { backend: "kafka" as never } }, "INVALID_OPTIONS", /`bus\.backend`/],
    [
      "an address of another kind",
      { bus: { backend: "redis", url: "http://user:s3cr3t@host" }, locks: bus, store: { backend: "memory" } },
      "INVALID_OPTIONS",
      /must begin with redis:\/\/ or rediss:\/\//,
    ],
  ])("is refused: %s", async (_name, config, code, message) => {
    const refused = await openRuntime(config, { threads: [echoThread()] }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(JSON.stringify(refused) + String((refused as Error).stack)).not.toContain("s3cr3t");
  });

  it.each([
    [{ buss: {} }, /unknown option `buss`; did you mean `bus`\?/],
    [
      { bus: { backend: "local", maxAttemps: 3 } },
      /unknown option `bus\.maxAttemps`; did you mean `bus\.maxAttempts`\?/,
    ],
    [{ store: { pathh: "x" } }, /unknown option `store\.pathh`; did you mean `store\.path`\?/],
    [{ worker: 3 }, /unknown option `worker`; did you mean `workers`\?/],
  ])("says what was meant: %j", (config, message) => {
    expect(() => parseRuntimeConfig(config as never)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", message: expect.stringMatching(message) }),
    );
  });
});

describe("a gateway", () => {
  it("works too, unless it is told not to", async () => {
    const runtime = make();
    const [first, second] = [memoryChannel("one"), memoryChannel("two")];
    const gateway = await runtime.gateway({ channels: [first] });
    expect(gateway.worker).toBeDefined();
    await first.publish({ id: "1", chat: "a", text: "hello" });
    expect((await first.received(1))[0]?.text).toBe("echo: hello");
    expect((await runtime.gateway({ id: "idle", channels: [second], embeddedWorker: false })).worker).toBeUndefined();
  });
});
