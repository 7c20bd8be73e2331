import { setTimeout as pause } from "node:timers/promises";
import { quantile, type Area, type BenchContext, type Result } from "../src/area.ts";
import { startBenchRedis, type BenchRedis } from "../src/redis.ts";
import { benchLocal } from "./local.ts";
import { subjects, type Opened, type OpenSubject } from "./subjects.ts";

const CONVERSATIONS = 50;
const TEXT = "x".repeat(256);

type Name = keyof typeof subjects;
type Figures = Record<"cpu" | "commands" | "publishRate" | "processRate" | "lasting", number>;

async function publishAll(opened: Opened, count: number): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let n = next++; n < count; n = next++) await opened.publish(`c${n % CONVERSATIONS}`, { text: TEXT, at: 0 });
  };
  await Promise.all(Array.from({ length: 100 }, lane));
}

async function usedMemory(server: BenchRedis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await server.admin.info("memory"))![1]);
}

/** Keys that do not end by themselves, which were not there when the queue was opened. */
async function lastingKeys(server: BenchRedis): Promise<Set<string>> {
  const keys = await server.admin.keys("*");
  const ends = await Promise.all(keys.map((key) => server.admin.pttl(key)));
  return new Set(keys.filter((_, i) => ends[i]! < 0));
}

/** Publishes everything, then handles everything, 50 at a time, on an empty server. */
async function wholeRun(server: BenchRedis, open: OpenSubject, count: number): Promise<Figures> {
  await server.admin.flushall();
  const opened = await open(server);
  const time = { publish: 0, process: 0 };
  const publishing = await server.cost(async () => {
    const start = performance.now();
    await publishAll(opened, count);
    time.publish = performance.now() - start;
  });
  const processing = await server.cost(async () => {
    const start = performance.now();
    await new Promise<void>((resolve, reject) => {
      let done = 0;
      opened
        .consume(50, () => {
          if (++done === count) resolve();
        })
        .catch(reject);
    });
    time.process = performance.now() - start;
    await pause(100);
  });
  const lasting = (await lastingKeys(server)).size;
  await opened.close();
  return {
    cpu: (publishing.cpuMicroseconds + processing.cpuMicroseconds) / count,
    commands: (publishing.commands + processing.commands) / count,
    publishRate: count / (time.publish / 1_000),
    processRate: count / (time.process / 1_000),
    lasting,
  };
}

/**
 * Bytes of one queued message. Always of so many that what comes once, the cached scripts and the keys of the duplicate
 * window, does not count: it adds 27 bytes to each of 3,000 messages and 4 to each of 20,000.
 */
async function queuedBytes(server: BenchRedis, open: OpenSubject): Promise<number> {
  const count = 20_000;
  await server.admin.flushall();
  const opened = await open(server);
  const empty = await usedMemory(server);
  await publishAll(opened, count);
  // The buffers of the connections shrink again.
  await pause(500);
  const bytes = ((await usedMemory(server)) - empty) / count;
  await opened.close();
  return bytes;
}

/** Milliseconds from publish to handler at 100 messages a second, the median. */
async function idleLatency(server: BenchRedis, open: OpenSubject, count: number): Promise<number> {
  await server.admin.flushall();
  const opened = await open(server);
  const taken: number[] = [];
  await opened.consume(10, ({ at }) => void taken.push(performance.now() - at));
  await pause(200);
  for (let n = 0; n < count; n++) {
    await opened.publish(`c${n % CONVERSATIONS}`, { text: TEXT, at: performance.now() });
    await pause(10);
  }
  await pause(200);
  await opened.close();
  return quantile(taken, 0.5);
}

/** Bytes of one envelope as the bus writes it, which is what its queued bytes are held against. */
async function envelopeBytes(server: BenchRedis): Promise<number> {
  await server.admin.flushall();
  const opened = await subjects["@hebra/bus"](server);
  await opened.publish("c1", { text: TEXT, at: 0 });
  const [key] = await server.admin.keys("*:in:q:*");
  const body = await server.admin.lindex(key!, 0);
  await opened.close();
  return Buffer.byteLength(body!);
}

async function throughput(context: BenchContext, server: BenchRedis): Promise<void> {
  const count = context.quick ? 3_000 : 20_000;
  const rounds = 5;
  const runs = new Map<string, Figures[]>();
  const names = Object.keys(subjects) as Name[];
  const cpu = await context.compare(
    "Redis CPU a message, publish and process, 50 at a time",
    "µs",
    rounds,
    Object.fromEntries(
      names.map((name) => [
        name,
        async () => {
          const figures = await wholeRun(server, subjects[name], count);
          runs.set(name, [...(runs.get(name) ?? []), figures]);
          return figures.cpu;
        },
      ]),
    ),
  );
  /** The other figures of the same runs, in the same order. */
  const replay = (figure: keyof Figures, title: string, unit: string) => {
    const turn = new Map<string, number>();
    return context.compare(
      title,
      unit,
      rounds,
      Object.fromEntries(
        names.map((name) => [
          name,
          async () => {
            const n = turn.get(name) ?? 0;
            turn.set(name, n + 1);
            return runs.get(name)![n]![figure];
          },
        ]),
      ),
    );
  };
  const commands = await replay("commands", "Redis commands a message, those in scripts included", "commands");
  const publish = await replay("publishRate", "publish single messages, 100 in flight", "messages/s");
  const process = await replay("processRate", "process, 50 at a time", "messages/s");
  const bytes = await context.compare(
    "bytes a queued message, of 20,000",
    "bytes",
    1,
    Object.fromEntries(names.map((name) => [name, () => queuedBytes(server, subjects[name])])),
  );
  const lasting = await replay("lasting", "keys left when all is done, but those that end by themselves", "keys");
  const of = (results: Record<string, Result>, name: Name = "@hebra/bus") => results[name]!.value;
  context.bar("Redis CPU a message, against BullMQ", of(cpu) / of(cpu, "BullMQ"), "<=", 0.42, "times");
  context.bar("Redis commands a message", of(commands), "<=", 8.5, "commands");
  context.bar("processing, against BullMQ", of(process) / of(process, "BullMQ"), ">=", 2, "times");
  context.bar("processing, against GroupMQ", of(process) / of(process, "GroupMQ"), ">=", 1.4, "times");
  context.bar("single publishes, against bee-queue", of(publish) / of(publish, "bee-queue"), ">=", 0.6, "times");
  context.bar(
    "bytes a queued message beyond its envelope",
    of(bytes) - (await envelopeBytes(server)),
    "<=",
    64,
    "bytes",
  );
  context.bar("keys left by idle conversations", of(lasting), "<=", 3, "keys");
}

/** What bounds an idle delivery, in microseconds: the two scripts before it, and an empty round trip. */
async function idleBounds(server: BenchRedis): Promise<{ scripts: number; roundTrip: number }> {
  await server.admin.flushall();
  const opened = await subjects["@hebra/bus"](server);
  await opened.consume(10, () => undefined);
  await pause(200);
  await server.admin.config("RESETSTAT");
  const trips: number[] = [];
  const count = 50;
  for (let n = 0; n < count; n++) {
    await opened.publish(`c${n}`, { text: TEXT, at: 0 });
    await pause(10);
    const start = performance.now();
    await server.admin.ping();
    trips.push(performance.now() - start);
  }
  const stats = await server.admin.info("commandstats");
  await opened.close();
  const perCall = Number(/cmdstat_evalsha:.*usec_per_call=([\d.]+)/.exec(stats)?.[1]);
  return { scripts: 2 * perCall, roundTrip: 1_000 * quantile(trips, 0.5) };
}

/** The bus on Redis beside other queues, and the local one beside in-process queues. */
export const area: Area = {
  packages: ["@hebra/bus", "ioredis", "bullmq", "groupmq", "bee-queue", "fastq", "p-queue"],
  async run(context) {
    const server = await startBenchRedis();
    try {
      await throughput(context, server);
      const names = Object.keys(subjects) as Name[];
      const latency = await context.compare(
        "publish to handler at 100 messages a second, p50",
        "ms",
        3,
        Object.fromEntries(
          names.map((name) => [name, () => idleLatency(server, subjects[name], context.quick ? 50 : 200)]),
        ),
      );
      context.bar(
        "idle p50, against bee-queue",
        latency["@hebra/bus"]!.value / latency["bee-queue"]!.value,
        "<=",
        1.4,
        "times",
      );
      const { scripts, roundTrip } = await idleBounds(server);
      context.note(
        `Idle p50: publish and claim leave in one write and come back in one answer. Their two scripts take ${Math.round(scripts)} µs of the server, an empty round trip ${Math.round(roundTrip)} µs; bee-queue hands a job over without a script.`,
      );
    } finally {
      await server.stop();
    }
    await benchLocal(context);
    context.note(
      "Redis on loopback, append-only file off. 50 conversations, 256 bytes, an id on every message where the library takes one. BullMQ and bee-queue keep no order within a conversation; GroupMQ is counted when a handler starts.",
    );
    context.note(
      "Keys left by @hebra/bus: the fence's clock and the namespace's configuration. GroupMQ and BullMQ keep more by design.",
    );
  },
};
