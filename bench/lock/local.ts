import { localLocks } from "@hebra/lock";
import { Mutex } from "async-mutex";
import type { BenchContext } from "../src/area.ts";

type Acquire = (key: string) => Promise<() => unknown>;

/** One mutex a key, removed when nobody holds or waits for it: what a map of mutexes needs for not growing for ever. */
function asyncMutex(): Acquire {
  const mutexes = new Map<string, { mutex: Mutex; users: number }>();
  return async (key) => {
    let entry = mutexes.get(key);
    if (entry === undefined) mutexes.set(key, (entry = { mutex: new Mutex(), users: 0 }));
    const { mutex } = entry;
    entry.users++;
    const release = await mutex.acquire();
    return () => {
      release();
      if (--entry.users === 0) mutexes.delete(key);
    };
  };
}

function hebra(): Acquire {
  const locks = localLocks();
  return async (key) => {
    const lease = await locks.acquire(key);
    return () => lease.release();
  };
}

/** Four takers a key, so that half of the time somebody waits. */
async function tasks(acquire: Acquire, keys: number, total: number): Promise<number> {
  const start = performance.now();
  const takers = Math.min(keys * 4, total);
  await Promise.all(
    Array.from({ length: takers }, async (_, taker) => {
      for (let i = taker; i < total; i += takers) {
        const release = await acquire(`key-${taker % keys}`);
        await release();
      }
    }),
  );
  return total / ((performance.now() - start) / 1000);
}

/** Locks within one process. */
export async function benchLocal(context: BenchContext): Promise<void> {
  const total = context.quick ? 20_000 : 200_000;
  for (const keys of [50, 20_000]) {
    const [ours, theirs] = [hebra(), asyncMutex()];
    const results = await context.compare(`in process, ${keys.toLocaleString("en")} keys`, "pairs/s", 7, {
      "@hebra/lock": () => tasks(ours, keys, total),
      "async-mutex": () => tasks(theirs, keys, total),
    });
    context.bar(
      `in process, ${keys} keys, against async-mutex`,
      results["@hebra/lock"]!.value / results["async-mutex"]!.value,
      ">=",
      1,
      "times",
    );
  }
}
