/** One worker of the test with many threads: its share of them at once. Started by `crowd.ts`. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { kinds, type Name } from "./subjects.ts";

/** What a worker is told. */
export interface Order {
  subject: Name;
  at: string;
  threads: string[];
  pairs: number;
  /** Turns of each thread, one right after the other. */
  turns: number;
}

/** What a worker says at the end. */
export interface Outcome {
  /** Milliseconds of each turn. */
  turns: number[];
  /** Event-loop delay while it ran, in milliseconds. */
  delayP99: number;
}

const tell = (message: unknown) => new Promise<void>((resolve) => process.send!(message, () => resolve()));
const heard = <T>() => new Promise<T>((resolve) => process.once("message", (message) => resolve(message as T)));

const { subject: name, at, threads, pairs, turns: count } = await heard<Order>();
const subject = await kinds[name].open({ at, shared: true });
for (let i = 0; i < 20; i++) await subject.turn(`warm-${process.pid}`, `warm-${i}`, pairs);
// The others are to begin at the same time.
const begin = heard();
await tell("ready");
await begin;
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const turns: number[] = [];
await Promise.all(
  threads.map(async (thread) => {
    for (let n = 1; n <= count; n++) {
      const start = performance.now();
      await subject.turn(thread, `m${n}`, pairs);
      turns.push(performance.now() - start);
    }
  }),
);
delay.disable();
await tell({ turns, delayP99: delay.percentile(99) / 1e6 } satisfies Outcome);
await subject.close();
process.disconnect();
