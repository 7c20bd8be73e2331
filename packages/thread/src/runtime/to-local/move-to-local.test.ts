import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bus } from "@hebra/bus";
import { redisBus } from "@hebra/bus/redis";
import { withoutRedisServer } from "@hebra/test-servers/redis";
import { describe, expect, it } from "vitest";
import { openRuntime, openStore, parseRuntimeConfig, type RuntimeConfig } from "../config.ts";
import { memoryChannel } from "../runtime.fixture.ts";
import { localConfig } from "./local-config.ts";
import { moveBench, parts, TIME } from "./move-to-local.fixture.ts";
import { undoMoveToLocal } from "./move-to-local.ts";

describe.skipIf(withoutRedisServer !== undefined)("moving back to local", () => {
  const { redis, directory, distributed, move, open, goLocal, takeOne } = moveBench();
  let count = 0;

  it(
    "stops those who still work, and keeps whoever starts late from taking in or working",
    async () => {
      const config = distributed();
      const live = await open(config);
      const channel = memoryChannel();
      await live.gateway({ channels: [channel] });
      await channel.publish({ id: "1", chat: "a", text: "one" });
      await channel.received(1);
      const moving = move(config);
      // It is refused as soon as it is paused, and is told to come again.
      for (let open = true; open;)
        open = await channel.publish({ id: `x${count++}`, chat: "b", text: "hello" }).then(
          () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 20)),
          (error: unknown) => {
            expect(error).toMatchObject({ code: "CLOSED", retryable: true });
            return false;
          },
        );
      const taken = channel.replies.length;
      await expect(
        live.react("echo", { id: "d", text: "direct" }, { address: { key: "memory:a" } }),
      ).rejects.toMatchObject({ code: "CLOSED" });
      await moving;
      expect(await live.health()).toMatchObject({ ready: false });
      const late = await open(config);
      const knocking = memoryChannel();
      await late.gateway({ id: "late", channels: [knocking] });
      await expect(knocking.publish({ id: "2", chat: "a", text: "two" })).rejects.toMatchObject({ code: "CLOSED" });
      expect(channel.replies.length).toBeGreaterThanOrEqual(taken);

      const { runtime, channel: local } = await goLocal();
      await local.publish({ id: "2", chat: "a", text: "two" });
      expect((await local.received(1)).map(({ text }) => text)).toEqual(["echo: two"]);
      expect(
        (await runtime.engine.history({ key: "memory:a" })).filter(({ item }) => item.kind === "trigger"),
      ).toHaveLength(2);
    },
    TIME,
  );

  it(
    "takes the pause back when it is broken off before anything was moved, and by `undo` after a crash",
    async () => {
      const config = distributed();
      const abort = new AbortController();
      const broken = move(config, {
        signal: abort.signal,
        onProgress: ({ step, state }) => void (step === "drain" && state === "begun" && abort.abort()),
      });
      await expect(broken).rejects.toMatchObject({ code: "ABORTED" });
      const live = await open(config);
      const channel = memoryChannel();
      await live.gateway({ channels: [channel] });
      await channel.publish({ id: "1", chat: "a", text: "one" });
      await channel.received(1);
      await live.close();
      await undoMoveToLocal({ config, directory: join(directory(), "notes") });
      await move(config);
      await expect(undoMoveToLocal({ config, directory: join(directory(), "notes") })).rejects.toMatchObject({
        code: "UNSUPPORTED",
      });
    },
    TIME,
  );

  it(
    "refuses what cannot be moved, before it touches anything",
    async () => {
      const config = distributed();
      await expect(move({ ...config, bus: {} })).rejects.toMatchObject({
        code: "INVALID_OPTIONS",
        message: expect.stringContaining("local already"),
      });
      await expect(move({ ...config, store: { backend: "memory" }, workers: 1 })).rejects.toMatchObject({
        code: "UNSUPPORTED",
      });
      writeFileSync(join(directory(), "threads.sqlite"), "");
      await expect(move(config)).rejects.toMatchObject({
        code: "INVALID_OPTIONS",
        message: expect.stringContaining("There is a file"),
      });
      rmSync(join(directory(), "threads.sqlite"));
      const bus = redisBus({
        url: redis().url,
        namespace: config.bus!.namespace!,
        leaseMs: 1_000,
        retry: { maxAttempts: 1, onExhausted: "park" },
      }) as Bus;
      await bus.publishInbound({ session: "p", payload: 1 });
      await (await takeOne(bus, "p")).nack({ permanent: true });
      await bus.close();
      await expect(move(config)).rejects.toMatchObject({
        code: "UNSUPPORTED",
        message: expect.stringContaining("parked"),
      });
      expect(existsSync(join(directory(), "local.json"))).toBe(false);
    },
    TIME,
  );

  it(
    "does not switch when its app lacks what a message waits for; repeated with it, it goes on",
    async () => {
      const config = distributed();
      const gateway = await openRuntime(config, parts);
      const channel = memoryChannel();
      await gateway.gateway({ channels: [channel], embeddedWorker: false });
      for (const id of ["1", "2"]) await channel.publish({ id, chat: "a", text: id });
      await gateway.close();
      await expect(move(config, { threads: [], route: () => ({ thread: "echo" }) })).rejects.toMatchObject({
        code: "DEFINITION_MISSING",
      });
      expect(existsSync(join(directory(), "local.json"))).toBe(false);
      const report = await move(config);
      expect(report.moved.queued).toBe(2);
      const { channel: local } = await goLocal();
      expect((await local.received(2)).map(({ text }) => text)).toEqual(["echo: 1", "echo: 2"]);
    },
    TIME,
  );

  it(
    "leaves a store alone that is a file already",
    async () => {
      const config: RuntimeConfig = {
        ...distributed(),
        store: { backend: "sqlite", path: join(directory(), "shared.sqlite") },
        oneHost: true,
      };
      const gateway = await openRuntime(config, parts);
      const channel = memoryChannel();
      await gateway.gateway({ channels: [channel], embeddedWorker: false });
      for (const id of ["1", "2", "3"]) await channel.publish({ id, chat: "a", text: id });
      await gateway.close();
      const report = await move(config);
      expect(report.steps.map(({ step }) => step)).toEqual([
        "check",
        "pause",
        "drain",
        "stop",
        "move",
        "switch",
        "verify",
      ]);
      expect(existsSync(join(directory(), "threads.sqlite"))).toBe(false);
      const { channel: local } = await goLocal();
      expect((await local.received(3)).map(({ text }) => text)).toEqual(["echo: 1", "echo: 2", "echo: 3"]);
    },
    TIME,
  );
});

describe("the local configuration", () => {
  it("keeps what is said about behaviour, and no address of any server", async () => {
    const local = localConfig(
      {
        bus: { backend: "redis", url: "redis://u:p@h", maxAttempts: 9, durability: "replicated" },
        locks: { backend: "redis", url: "redis://u:p@h" },
        store: { backend: "postgres", url: "postgres://u:p@h/d" },
        workers: 5,
        sweepMs: 500,
      },
      "x.sqlite",
    );
    expect(local).toEqual({
      bus: { backend: "local", maxAttempts: 9 },
      locks: { backend: "local" },
      store: { backend: "sqlite", path: "x.sqlite" },
      workers: 1,
      sweepMs: 500,
    });
    expect(parseRuntimeConfig(local).store.backend).toBe("sqlite");
    await expect(openStore({ ...parseRuntimeConfig({ store: { backend: "memory" } }).store })).resolves.toBeDefined();
  });
});
