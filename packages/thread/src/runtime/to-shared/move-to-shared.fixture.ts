import { join } from "node:path";
import { errorCode } from "@hebra/core";
import type { RuntimeConfig } from "../config.ts";
import { memoryChannel, type MemoryChannel } from "../runtime.fixture.ts";
import { moveBench } from "../to-local/move-to-local.fixture.ts";
import { moveToShared } from "./move-to-shared.ts";
import type { MoveToSharedOptions } from "./types.ts";

/** Local deployments, and shared ones over a Redis of their own to move them to. Call it inside a `describe`. */
export function sharedBench() {
  const bench = moveBench();

  /** Both configurations of one deployment. */
  function deployment(store: "redis" | "postgres") {
    const shared = bench.distributed(store);
    const path = join(bench.directory(), "threads.sqlite");
    const local: RuntimeConfig = { store: { backend: "sqlite", path }, sweepMs: 1_000 };
    return { path, local, shared: { ...shared, sweepMs: 1_000, store: { ...shared.store, path } } as RuntimeConfig };
  }
  const toShared = (config: RuntimeConfig, over: Partial<MoveToSharedOptions> = {}) =>
    moveToShared({ config, directory: join(bench.directory(), "to-shared"), ...over });

  /** A runtime with a gateway and a worker. */
  async function start(config: RuntimeConfig, channel: MemoryChannel = memoryChannel()) {
    const runtime = await bench.open(config);
    await runtime.gateway({ channels: [channel] });
    return { runtime, channel };
  }
  return { ...bench, deployment, toShared, start };
}

/** Whoever writes to a channel, and repeats a refused message under its id, as HTTP clients and webhooks do. */
export function createSenders(chats: readonly string[], everyMs: number) {
  let channel: MemoryChannel | undefined;
  const sent = new Map(chats.map((chat) => [chat, 0]));
  let refused = 0;
  let running = true;
  async function write(chat: string): Promise<void> {
    while (running) {
      const id = String(sent.get(chat)! + 1);
      const taken = await channel?.publish({ id, chat, text: `${chat} ${id}` }).then(
        () => true,
        (error: unknown) => {
          if (errorCode(error) !== "CLOSED") throw error;
          return false;
        },
      );
      if (taken === true) sent.set(chat, Number(id));
      else refused++;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
  const writing: Promise<void>[] = [];
  return {
    /** From here on they write to this channel. */
    to(next: MemoryChannel): void {
      channel = next;
      if (writing.length === 0) writing.push(...chats.map(write));
    },
    async stop() {
      running = false;
      await Promise.all(writing);
      return { sent, refused };
    },
  };
}
