import { setTimeout as pause } from "node:timers/promises";
import { quantile, type Area, type BenchContext, type Result } from "../src/area.ts";
import { startBenchRedis, type BenchRedis } from "../src/redis.ts";
import { benchLocal } from "./local.ts";
import { subjects, type Subject, type SubjectName } from "./subjects.ts";

type Opened = Record<SubjectName, Subject>;

/** The same measurement for every subject. */
function forEach(
  opened: Opened,
  measure: (subject: Subject) => Promise<number>,
): Record<SubjectName, () => Promise<number>> {
  return Object.fromEntries(Object.entries(opened).map(([name, subject]) => [name, () => measure(subject)])) as Record<
    SubjectName,
    () => Promise<number>
  >;
}

/** Takers that each take and give back a lock again and again. */
async function takers(
  subject: Subject,
  count: number,
  pairsEach: number,
  keyOf: (taker: number) => string,
  waits?: number[],
): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: count }, async (_, taker) => {
      for (let i = 0; i < pairsEach; i++) {
        const asked = performance.now();
        const release = await subject.acquire(keyOf(taker));
        waits?.push(performance.now() - asked);
        await release();
      }
    }),
  );
  return (count * pairsEach) / ((performance.now() - start) / 1000);
}

async function costs(context: BenchContext, server: BenchRedis, opened: Opened, pairsEach: number): Promise<void> {
  const sequential = await context.compare(
    "requests a pair, one after another",
    "requests",
    3,
    forEach(opened, async (subject) => {
      const { reads } = await server.cost(async () => void (await takers(subject, 1, 200, () => "requests")));
      return reads / 200;
    }),
  );
  context.bar("round trips a pair", sequential["@hebra/lock"]!.value, "<=", 2, "requests");
  const perPair = (measure: "cpuMicroseconds" | "commands") => (subject: Subject) =>
    server
      .cost(async () => void (await takers(subject, 50, pairsEach, (taker) => `cost-${taker}`)))
      .then((cost) => cost[measure] / (50 * pairsEach));
  const cpu = await context.compare("Redis CPU a pair, 50 keys", "µs", 9, forEach(opened, perPair("cpuMicroseconds")));
  context.bar("Redis CPU a pair", cpu["@hebra/lock"]!.value, "<=", 10, "µs");
  await context.compare(
    "Redis commands a pair, those in scripts included",
    "commands",
    3,
    forEach(opened, perPair("commands")),
  );
}

async function speeds(context: BenchContext, opened: Opened, pairsEach: number): Promise<void> {
  await context.compare(
    "one after another",
    "pairs/s",
    9,
    forEach(opened, (subject) => takers(subject, 1, pairsEach * 5, () => "sequential")),
  );
  const spread = await context.compare(
    "50 takers, 50 keys",
    "pairs/s",
    15,
    forEach(opened, (subject) => takers(subject, 50, pairsEach, (taker) => `spread-${taker}`)),
  );
  const ratio = (results: Record<string, Result>) => results["bare SET NX PX"]!.value / results["@hebra/lock"]!.value;
  context.bar("wall clock at 50 keys, against bare", ratio(spread), "<=", 1.15, "times");
}

async function contention(context: BenchContext, opened: Opened): Promise<void> {
  const pairsEach = context.quick ? 5 : 20;
  await context.compare(
    "50 takers, one key",
    "pairs/s",
    5,
    forEach(opened, (subject) => takers(subject, 50, pairsEach, () => "hot")),
  );
  for (const [label, share] of [
    ["p50", 0.5],
    ["p99", 0.99],
  ] as const) {
    const figures = forEach(opened, async (subject) => {
      const taken: number[] = [];
      await takers(subject, 50, pairsEach, () => "hot", taken);
      return quantile(taken, share);
    });
    await context.compare(`wait with 50 takers on one key, ${label}`, "ms", 5, figures);
  }
}

/** Locks on Redis, beside what else there is, and local ones. */
export const area: Area = {
  packages: ["@hebra/lock", "ioredis", "redlock", "redis-semaphore", "async-mutex"],
  async run(context) {
    const server = await startBenchRedis();
    const opened = Object.fromEntries(
      Object.entries(subjects).map(([name, open]) => [name, open(server.url)]),
    ) as Opened;
    const pairsEach = context.quick ? 40 : 200;
    try {
      await costs(context, server, opened, pairsEach);
      await speeds(context, opened, pairsEach);
      await contention(context, opened);
    } finally {
      await Promise.all(Object.values(opened).map((subject) => subject.close()));
      await pause(50);
      await server.stop();
    }
    await benchLocal(context);
    context.note(
      "Redis on loopback, one connection a subject, no autopipelining, append-only file off. @hebra/lock renews, issues fences and serves in order; the others do not all.",
    );
  },
};
