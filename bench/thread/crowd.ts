import { fork } from "node:child_process";
import { once } from "node:events";
import { quantile, type BenchContext } from "../src/area.ts";
import type { Homes } from "./homes.ts";
import { kinds, type Name } from "./subjects.ts";
import type { Order, Outcome } from "./worker.ts";

const THREADS = 200;

interface Figures {
  turnsPerSecond: number;
  p50: number;
  p99: number;
  delayP99: number;
}

/** How a crowd is played. */
interface Play {
  workers: number;
  pairs: number;
  /** Turns of each thread. */
  turns: number;
}

async function crowd(homes: Homes, name: Name, { workers: count, pairs, turns: each }: Play): Promise<Figures> {
  const { at } = await homes.place(kinds[name].home, `crowd ${name}`);
  // Tables are made once, before several ask for them.
  await (await kinds[name].open({ at, shared: true })).close();
  const workers = Array.from({ length: count }, () => fork(new URL("./thread-worker.mjs", import.meta.url)));
  const heard = <T>(worker: (typeof workers)[number]) =>
    Promise.race([
      once(worker, "message").then(([message]) => message as T),
      once(worker, "exit").then(([code]) =>
        Promise.reject(new Error(`A worker of ${name} ended with ${String(code)}.`)),
      ),
    ]);
  try {
    await Promise.all(
      workers.map(async (worker, w) => {
        const threads = Array.from({ length: THREADS / count }, (_, i) => `crowd-${w}-${i}`);
        worker.send({ subject: name, at, threads, pairs, turns: each } satisfies Order);
        await heard(worker);
      }),
    );
    const start = performance.now();
    const outcomes = await Promise.all(
      workers.map((worker) => {
        worker.send("begin");
        return heard<Outcome>(worker);
      }),
    );
    const seconds = (performance.now() - start) / 1_000;
    const turns = outcomes.flatMap((outcome) => outcome.turns);
    await Promise.all(workers.map((worker) => worker.exitCode ?? once(worker, "exit")));
    return {
      turnsPerSecond: (THREADS * each) / seconds,
      p50: quantile(turns, 0.5),
      p99: quantile(turns, 0.99),
      delayP99: Math.max(...outcomes.map(({ delayP99 }) => delayP99)),
    };
  } finally {
    for (const worker of workers) if (worker.exitCode === null) worker.kill("SIGKILL");
  }
}

const all: readonly Name[] = [
  "hebra, SQLite",
  "hebra, Postgres",
  "hebra, Redis",
  "hebra, Postgres, script",
  "LangGraph, Postgres",
  "DBOS, Postgres",
];

/** Plays a crowd with each subject in turn, some rounds, and records what came of it. */
async function compare(context: BenchContext, homes: Homes, title: string, play: Play, names: readonly Name[]) {
  const rounds = context.quick ? 1 : 3;
  const figures = new Map<Name, Figures[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed())
      figures.get(name)!.push(await crowd(homes, name, play));
  }
  const of = (figure: keyof Figures) =>
    Object.fromEntries(names.map((name) => [name, figures.get(name)!.map((one) => one[figure])]));
  const rate = context.record(title, "turns/s", of("turnsPerSecond"));
  context.record(`${title}: a turn, p50`, "ms", of("p50"));
  context.record(`${title}: a turn, p99`, "ms", of("p99"));
  context.record(`${title}: event-loop delay of the worse worker, p99`, "ms", of("delayP99"));
  return rate;
}

/**
 * 200 threads at once that share a database: a turn each on two processes, and ten turns each, one right after the
 * other, on one process and on two.
 */
export async function benchCrowd(context: BenchContext, homes: Homes): Promise<void> {
  const pairs = context.quick ? 3 : 5;
  await compare(
    context,
    homes,
    `${THREADS} threads at once on 2 workers, ${pairs} pairs each`,
    { workers: 2, pairs, turns: 1 },
    all,
  );
  for (const workers of [1, 2]) {
    const turns = context.quick ? 3 : 10;
    const title = `${THREADS} threads of ${turns} turns in a row on ${workers} ${workers === 1 ? "worker" : "workers"}, 3 pairs a turn`;
    const rate = await compare(context, homes, title, { workers, pairs: 3, turns }, all);
    const ours = rate["hebra, Postgres"]!.value;
    context.bar(`${title}: Postgres beside DBOS`, ours / rate["DBOS, Postgres"]!.value, ">=", 1, "times");
    context.bar(`${title}: Postgres beside LangGraph`, ours / rate["LangGraph, Postgres"]!.value, ">=", 3, "times");
  }
}
