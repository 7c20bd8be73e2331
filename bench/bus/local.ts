import { localBus } from "@hebra/bus";
import fastq from "fastq";
import PQueue from "p-queue";
import type { BenchContext } from "../src/area.ts";

const TEXT = "x".repeat(200);

async function hebraLocal(tasks: number, keys: number): Promise<void> {
  const bus = localBus({ maxBacklog: 1_000_000 });
  let done = 0;
  const handled = (async () => {
    for await (const delivery of bus.consumeInbound({ concurrency: 64 })) {
      void delivery.ack();
      if (++done === tasks) break;
    }
  })();
  for (let i = 0; i < tasks; i += 100) {
    await bus.publishInbound(
      Array.from({ length: 100 }, (_, j) => ({ session: `s${(i + j) % keys}`, payload: { text: TEXT, n: i + j } })),
    );
  }
  await handled;
  await bus.close();
}

async function fastqPerKey(tasks: number, keys: number): Promise<void> {
  const queues = new Map<string, ReturnType<typeof fastq.promise>>();
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < tasks; i++) {
    const key = `s${i % keys}`;
    let queue = queues.get(key);
    if (queue === undefined) queues.set(key, (queue = fastq.promise(async () => {}, 1)));
    all.push(queue.push({ text: TEXT, n: i }));
  }
  await Promise.all(all);
}

async function pQueuePerKey(tasks: number, keys: number): Promise<void> {
  const queues = new Map<string, PQueue>();
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < tasks; i++) {
    const key = `s${i % keys}`;
    let queue = queues.get(key);
    if (queue === undefined) queues.set(key, (queue = new PQueue({ concurrency: 1 })));
    all.push(queue.add(async () => {}));
  }
  await Promise.all(all);
}

/** The local bus, which checks, encodes and decodes every message, beside queues that only order tasks. */
export async function benchLocal(context: BenchContext): Promise<void> {
  const tasks = context.quick ? 20_000 : 100_000;
  for (const keys of [50, 20_000]) {
    const rate = (work: (tasks: number, keys: number) => Promise<void>) => async () => {
      const start = performance.now();
      await work(tasks, keys);
      return tasks / ((performance.now() - start) / 1_000);
    };
    const figures = await context.compare(`local, ${keys} keys`, "messages/s", 5, {
      "@hebra/bus, with envelopes": rate(hebraLocal),
      "fastq per key": rate(fastqPerKey),
      "p-queue per key": rate(pQueuePerKey),
    });
    if (keys === 20_000)
      context.bar(
        "local messages a second, 20 000 conversations, envelopes checked",
        figures["@hebra/bus, with envelopes"]!.value,
        ">=",
        160_000,
        "messages/s",
      );
  }
}
