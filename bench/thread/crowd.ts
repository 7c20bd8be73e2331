import { fork } from "node:child_process";
import { once } from "node:events";
import { quantile, type BenchContext } from "../src/area.ts";
import type { Homes } from "./homes.ts";
import { kinds, type Name } from "./subjects.ts";
import type { Order, Outcome } from "./worker.ts";

const WORKERS = 2;
const THREADS = 200;

interface Figures {
  pairsPerSecond: number;
  p50: number;
  p99: number;
  delayP99: number;
}

async function crowd(homes: Homes, name: Name, pairs: number): Promise<Figures> {
  const { at } = await homes.place(kinds[name].home, `crowd ${name}`);
  // Tables are made once, before several ask for them.
  await (await kinds[name].open({ at, shared: true })).close();
  const workers = Array.from({ length: WORKERS }, () => fork(new URL("./thread-worker.mjs", import.meta.url)));
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
        const threads = Array.from({ length: THREADS / WORKERS }, (_, i) => `crowd-${w}-${i}`);
        worker.send({ subject: name, at, threads, pairs } satisfies Order);
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
      pairsPerSecond: (THREADS * pairs) / seconds,
      p50: quantile(turns, 0.5),
      p99: quantile(turns, 0.99),
      delayP99: Math.max(...outcomes.map(({ delayP99 }) => delayP99)),
    };
  } finally {
    for (const worker of workers) if (worker.exitCode === null) worker.kill("SIGKILL");
  }
}

/** 200 threads at once, a turn each, on two processes that share the database. */
export async function benchCrowd(context: BenchContext, homes: Homes): Promise<void> {
  const pairs = context.quick ? 3 : 5;
  const rounds = context.quick ? 1 : 3;
  const names: Name[] = [
    "hebra, SQLite",
    "hebra, Postgres",
    "hebra, Redis",
    "hebra, Postgres, script",
    "LangGraph, Postgres",
    "DBOS, Postgres",
  ];
  const figures = new Map<Name, Figures[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed())
      figures.get(name)!.push(await crowd(homes, name, pairs));
  }
  const of = (figure: keyof Figures) =>
    Object.fromEntries(names.map((name) => [name, figures.get(name)!.map((one) => one[figure])]));
  const title = `${THREADS} threads at once on ${WORKERS} workers, ${pairs} pairs each`;
  context.record(title, "pairs/s", of("pairsPerSecond"));
  context.record(`${title}: a turn, p50`, "ms", of("p50"));
  context.record(`${title}: a turn, p99`, "ms", of("p99"));
  context.record(`${title}: event-loop delay of the worse worker, p99`, "ms", of("delayP99"));
}
