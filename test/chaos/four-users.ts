import { setTimeout as wait } from "node:timers/promises";
import { redisFlagWriter, redisProvider } from "@hebra/flags/redis";
import { redisLocks } from "@hebra/lock/redis";
import { redisStore } from "@hebra/thread/store/redis";
import { now } from "./records.ts";
import type { Stage } from "./stage.ts";
import { publish } from "./talk.ts";

/** Milliseconds after which something counts as never well again. */
const PATIENCE_MS = 60_000;
const AGAIN_MS = 25;

/** Everything of this process that uses Redis, with nothing but a URL, and the workers. */
export interface FourUsers {
  /** Milliseconds from `since` until each of them does its work again, by name. */
  allWell(since: number): Promise<Record<string, number>>;
  close(): Promise<void>;
}

/** Opens them and lets each do its work once, so that its connections stand when the fault comes. */
export async function openFourUsers(stage: Stage): Promise<FourUsers> {
  const { url } = stage.proxy!;
  // A message that was answered once would not be answered again.
  const namespace = `four-users-${Math.round(now())}`;
  const locks = redisLocks({ url, namespace });
  const store = await redisStore({ url, namespace: `${namespace}:threads` });
  const writer = redisFlagWriter({ url, namespace });
  const provider = redisProvider({ url, namespace, pollMs: PATIENCE_MS });
  let version = 0;
  let seen = 0;
  provider.watch!((event) => {
    if (event.type === "snapshot-loaded") seen = event.snapshot.document.rollouts?.["chaos"]?.version ?? 0;
  });

  const uses: Record<string, () => Promise<unknown>> = {
    async turn() {
      const chat = `${namespace}-${++version}`;
      const replied = new Promise<void>((resolve) => {
        const stop = stage.onReply(({ session }) => {
          if (session !== `chaos:${chat}`) return;
          stop();
          resolve();
        });
      });
      await publish(stage, { id: "0", chat, text: `${chat}/0|5`, tenant: "default", thread: "echo" });
      await replied;
    },
    locks: async () => (await locks.acquire(`lock-${++version}`)).release(),
    threads: () => store.load("default", { key: "nobody" }),
    async flags() {
      const next = ++version;
      await writer.write({ flags: {}, rollouts: { chaos: { version: next } } });
      while (seen < next) await wait(AGAIN_MS);
    },
  };
  const ready = async () => {
    const answers = await Promise.all([stage.runtime.health(), ...stage.workers.map((worker) => worker.ready())]);
    if (!answers.every((answer) => answer.ready)) throw new Error("not ready");
  };
  /** Repeats a use until it works. */
  const insist = async (use: () => Promise<unknown>, since: number) => {
    for (;;) {
      const works = await use().then(
        () => true,
        () => false,
      );
      if (works || now() - since > PATIENCE_MS) return works ? now() - since : Infinity;
      await wait(AGAIN_MS);
    }
  };
  // A machine that has just begun may be slow.
  await insist(async () => provider.load(), now());
  for (const use of Object.values(uses)) await insist(use, now());

  return {
    async allWell(since) {
      const took = await Promise.all(
        Object.entries(uses).map(async ([name, use]) => [name, Math.round(await insist(use, since))] as const),
      );
      return { ...Object.fromEntries(took), ready: Math.round(await insist(ready, since)) };
    },
    async close() {
      await Promise.all([locks.close(), store.close(), writer.close(), provider.close!()]);
    },
  };
}
