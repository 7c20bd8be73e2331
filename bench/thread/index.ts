import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { quantile, type Area, type BenchContext, type Result } from "../src/area.ts";
import { benchCrowd } from "./crowd.ts";
import { benchGrowth } from "./growth.ts";
import { createHomes, type Homes, type Place } from "./homes.ts";
import type { Subject } from "./subject.ts";
import { kinds, type Name } from "./subjects.ts";

/** Old turns in a thread before the one that is measured: a message and an answer each. */
const OLD_TURNS = 10;

interface Opened {
  name: Name;
  place: Place;
  subject: Subject;
}

let threads = 0;

/** A thread with its old messages. */
async function oldThread({ subject }: Opened): Promise<string> {
  const thread = `thread-${++threads}`;
  for (let i = 0; i < OLD_TURNS; i++) await subject.turn(thread, `old-${i}`, 0);
  // People take a moment. A trigger that comes while ours looks whether another is waiting is queued: one write more.
  await pause(20);
  return thread;
}

async function openAll(homes: Homes, names: readonly Name[]): Promise<Opened[]> {
  const opened: Opened[] = [];
  for (const name of names) {
    const place = await homes.place(kinds[name].home, name);
    opened.push({ name, place, subject: await kinds[name].open({ at: place.at }) });
  }
  return opened;
}

const figures = (opened: readonly Opened[], measure: (one: Opened) => Promise<number>) =>
  Object.fromEntries(opened.map((one) => [one.name, () => measure(one)]));

/** Milliseconds a pair of one long turn, and what the event loop suffered meanwhile. */
async function speed(context: BenchContext, opened: readonly Opened[]): Promise<void> {
  const pairs = context.quick ? 20 : 50;
  const rounds = context.quick ? 3 : 9;
  const delays = new Map<string, number[]>(opened.map(({ name }) => [name, []]));
  const processor = new Map<string, number[]>(opened.map(({ name }) => [name, []]));
  for (const one of opened) for (let i = 0; i < 3; i++) await one.subject.turn("warm", `w${i}`, pairs);
  const results = await context.compare(
    `a turn of ${pairs} pairs in a thread of ${OLD_TURNS * 2} messages`,
    "ms a pair",
    rounds,
    figures(opened, async (one) => {
      const thread = await oldThread(one);
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      // It measures from its first look on.
      await pause(5);
      const before = process.cpuUsage();
      const start = performance.now();
      await one.subject.turn(thread, "new", pairs);
      const taken = performance.now() - start;
      const { user, system } = process.cpuUsage(before);
      // A turn that never went back to the event loop is measured at its first look at the time, afterwards.
      await pause(5);
      delay.disable();
      delays.get(one.name)!.push(delay.percentile(99) / 1e6);
      processor.get(one.name)!.push((user + system) / 1_000 / pairs);
      return taken / pairs;
    }),
  );
  const of = (name: Name) => (results[name] as Result).value;
  context.record(
    "the same, times the bare loop",
    "times",
    Object.fromEntries(opened.map(({ name }) => [name, [of(name) / of("AI SDK loop")]])),
  );
  // The first is of the round that warms up.
  const counted = (taken: ReadonlyMap<string, number[]>) =>
    Object.fromEntries([...taken].map(([name, values]) => [name, values.slice(1)]));
  context.record("processor time of this process for such a turn, servers left out", "ms a pair", counted(processor));
  context.record("event-loop delay during such a turn, p99", "ms", counted(delays));
  for (const [name, bound] of [
    ["hebra, SQLite", 0.5],
    ["hebra, Postgres", 1],
    ["hebra, Redis", 0.3],
  ] as const) {
    context.bar(`over the bare loop, ${name}`, of(name) - of("AI SDK loop"), "<=", bound, "ms a pair");
  }
}

/** Write transactions of one turn, as the databases count them, and what it leaves behind. */
async function costs(context: BenchContext, opened: readonly Opened[]): Promise<void> {
  const pairs = 10;
  const durable = opened.filter(({ place }) => place.at !== "");
  const commits = await context.compare(
    `write transactions of a turn of ${pairs} pairs`,
    "commits",
    context.quick ? 1 : 3,
    figures(durable, async (one) => {
      const thread = await oldThread(one);
      await one.place.settle();
      const before = (await one.place.commits())!;
      await one.subject.turn(thread, "new", pairs);
      return (await one.place.commits())! - before;
    }),
  );
  for (const { name } of durable) {
    if (name.startsWith("hebra"))
      context.bar(
        `write transactions of a turn of ${pairs} pairs, ${name}`,
        commits[name]!.value,
        "<=",
        2 + 2 * pairs,
        "commits",
      );
  }
  await context.compare(
    `bytes a turn of ${pairs} pairs, over 20 turns of a thread`,
    "bytes",
    1,
    figures(durable, async (one) => {
      const thread = `thread-${++threads}`;
      await one.place.settle();
      const before = (await one.place.bytes())!;
      for (let i = 0; i < 20; i++) await one.subject.turn(thread, `m${i}`, pairs);
      return ((await one.place.bytes())! - before) / 20;
    }),
  );
}

/** What one synced write costs on this disk: the floor under every durable step. */
async function floor(context: BenchContext): Promise<void> {
  const path = join(tmpdir(), `hebra-bench-sync-${process.pid}`);
  const file = openSync(path, "w");
  const block = Buffer.alloc(4_096, 1);
  const taken: number[] = [];
  for (let i = 0; i < 300; i++) {
    const start = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    taken.push(performance.now() - start);
  }
  closeSync(file);
  rmSync(path);
  context.record("appending 4 KB and fdatasync, p50 and p99", "ms", {
    p50: [quantile(taken, 0.5)],
    p99: [quantile(taken, 0.99)],
  });
}

/** Turns of threads, beside other engines that outlive their process. */
export const area: Area = {
  packages: [
    "@hebra/thread",
    "ai",
    "@langchain/langgraph",
    "@langchain/langgraph-checkpoint-sqlite",
    "@langchain/langgraph-checkpoint-postgres",
    "@dbos-inc/dbos-sdk",
    "libsql",
    "pg",
    "ioredis",
  ],
  async run(context) {
    const homes = createHomes();
    try {
      await floor(context);
      const names: Name[] = [
        "AI SDK loop",
        "hebra, memory",
        "hebra, SQLite",
        "hebra, Postgres",
        "hebra, Redis",
        "hebra, memory, script",
        "hebra, SQLite, script",
        "hebra, Postgres, script",
        "hebra, Redis, script",
        "LangGraph",
        "LangGraph, SQLite",
        "LangGraph, SQLite, async",
        "LangGraph, Postgres",
        "LangGraph, Postgres, async",
        "DBOS, Postgres",
      ];
      const opened = await openAll(homes, names);
      try {
        await speed(context, opened);
        await costs(
          context,
          opened.filter(({ name }) => !name.endsWith("script")),
        );
      } finally {
        for (const { subject } of opened) await subject.close();
      }
      await benchGrowth(context, homes);
      await benchCrowd(context, homes);
    } finally {
      await homes.close();
    }
    context.note(
      "A pair is a model call and an action of 100 bytes. Ours, unless it says \"script\", and the bare loop call one mock model of the AI SDK, the bare loop through streamText; LangGraph's model is a function in a node, DBOS' a step: neither pays for an AI SDK. All show their model the last 20 turns.",
    );
    context.note(
      'Durability: SQLite write-ahead log with synchronous=FULL for both engines on it; Postgres with fsync and synchronous_commit on; Redis append-only file, everysec. LangGraph waits for its writes (durability sync) unless it says "async". LangGraph\'s SqliteSaver runs on libsql here, as our store does.',
    );
    context.note(
      "Write transactions: transaction ids on Postgres, commit frames of the write-ahead log on SQLite, script calls on Redis. DBOS keeps no thread: its turns read and write no history. Mastra 1.71 asks for Node 22.13 and was left out on this Node.",
    );
  },
};
