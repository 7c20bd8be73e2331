import { setTimeout as wait } from "node:timers/promises";
import { startRedis } from "@hebra/test-servers/redis";
import type { Bars } from "./bars.ts";
import { percentiles } from "./percentiles.ts";
import { now } from "./records.ts";

/** Processes that ask for figures, and how often each does, in milliseconds: as often as a drain does. */
const OBSERVERS = 20;
const OBSERVE_EVERY_MS = 200;
/** Publishes that a round measures, and rounds: a machine's mood changes between them. */
const PUBLISHES = 1_000;
const ROUNDS = 5;
/** So much slower publishing may become beside those who look. */
const RATIO = 2;
const BATCH = 500;

type Library = typeof import("./library.ts");

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** The p99 of publishing to a bus where that many conversations are ready, alone and beside `stats` and a drain. */
export async function deepBacklog({ redisBus }: Library, ready: number, bars: Bars): Promise<string> {
  const server = await startRedis();
  const open = () => redisBus({ url: server.url });
  const bus = open();
  const observer = open();
  const looks: number[] = [];
  try {
    for (let from = 0; from < ready; from += 4 * BATCH)
      await Promise.all([0, 1, 2, 3].map((part) => bus.publishInbound(batch(from + part * BATCH, ready))));
    let n = 0;
    const measure = async () => {
      const times: number[] = [];
      for (let i = 0; i < PUBLISHES; i++) {
        const startedAt = now();
        await bus.publishInbound({ session: `more-${n++}`, payload: i });
        times.push(now() - startedAt);
      }
      return percentiles(times).p99;
    };
    const beside = async <T>(work: () => Promise<T>): Promise<T> => {
      let over = false;
      const watching = Array.from({ length: OBSERVERS }, async (_, i) => {
        await wait((i / OBSERVERS) * OBSERVE_EVERY_MS);
        while (!over) {
          const startedAt = now();
          await observer.stats();
          looks.push(now() - startedAt);
          await wait(OBSERVE_EVERY_MS);
        }
      });
      const draining = open();
      const drained = draining.drain({ deadlineMs: 500 });
      const result = await work();
      over = true;
      await Promise.all([...watching, drained]);
      await draining.close();
      return result;
    };
    await measure();
    const [alone, watched]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      alone.push(await measure());
      watched.push(await beside(measure));
    }
    const { inbound } = await bus.stats();
    bars.none("backlog-miscounted", Math.abs(inbound.depth - ready - n), "messages");
    bars.some("stats-beside-backlog", looks.length, "looks");
    bars.atMost("publish-p99-beside-stats", median(watched) / median(alone), RATIO, "times");
    return `publish p99 ${median(alone).toFixed(2)} ms alone, ${median(watched).toFixed(2)} ms beside ${looks.length} looks and ${ROUNDS} drains, at ${ready} ready conversations; a look p99 ${percentiles(looks).p99} ms`;
  } finally {
    await Promise.all([bus.close(), observer.close()]);
    await server.stop();
  }
}

function batch(from: number, end: number) {
  return Array.from({ length: Math.max(0, Math.min(BATCH, end - from)) }, (_, i) => ({
    session: `ready-${from + i}`,
    tenant: `t${(from + i) % 7}`,
    payload: i,
  }));
}
