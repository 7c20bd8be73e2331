import { median, type BenchContext } from "../src/area.ts";
import type { Homes, Place } from "./homes.ts";
import { kinds, type Name } from "./subjects.ts";

const PAIRS = 2;
/** A single turn says little on a busy machine: so many are taken. */
const SAMPLES = 15;

interface Grown {
  name: Name;
  /** Turn 3 of fresh threads, and turns of the long one, each beside the other. */
  early: number[];
  late: number[];
  /** Bytes at the beginning, after a third, two thirds and all of the turns. */
  bytes: (number | undefined)[];
}

/** One thread of many turns. */
export async function benchGrowth(context: BenchContext, homes: Homes): Promise<void> {
  const turns = context.quick ? 90 : 300;
  const names: Name[] = [
    "AI SDK loop",
    "hebra, memory",
    "hebra, SQLite",
    "hebra, Postgres",
    "hebra, Redis",
    "hebra, SQLite, script",
    "hebra, SQLite, full history",
    "LangGraph, SQLite",
    "LangGraph, Postgres",
  ];
  // One after the other: what one engine leaves in memory slows those beside it, the longer the more.
  const grown: Grown[] = [];
  for (const name of names) grown.push(await grow(name, await homes.place(kinds[name].home, `growth ${name}`), turns));
  report(context, grown, turns);
}

async function grow(name: Name, place: Place, turns: number): Promise<Grown> {
  const subject = await kinds[name].open({ at: place.at });
  try {
    // Another thread, so that the one that is measured begins with warm code.
    for (let i = 0; i < 30; i++) await subject.turn("warm", `w${i}`, PAIRS);
    await place.settle();
    const grown: Grown = { name, early: [], late: [], bytes: [await place.bytes()] };
    for (let turn = 1; turn <= turns; turn++) {
      await subject.turn("grows", `m${turn}`, PAIRS);
      if (turn % (turns / 3) === 0) grown.bytes.push(await place.bytes());
    }
    // What is new and what is old is measured at one time.
    for (let sample = 1; sample <= SAMPLES; sample++) {
      for (const before of ["a", "b"]) await subject.turn(`fresh ${sample}`, before, PAIRS);
      grown.early.push(await timed(() => subject.turn(`fresh ${sample}`, "c", PAIRS)));
      grown.late.push(await timed(() => subject.turn("grows", `m${turns + sample}`, PAIRS)));
    }
    const counted = await subject.turns("grows");
    if (counted !== turns + SAMPLES) throw new Error(`${name} has ${counted} turns of ${turns + SAMPLES}.`);
    return grown;
  } finally {
    await subject.close();
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function report(context: BenchContext, grown: readonly Grown[], turns: number): void {
  const thirds = ({ bytes }: Grown) => bytes.slice(1).map((now, i) => ((now ?? 0) - (bytes[i] ?? 0)) / (turns / 3));
  const each = (figures: (one: Grown) => number[], which = grown) =>
    Object.fromEntries(which.map((one) => [one.name, figures(one)]));
  context.record(
    `turn 3 of a thread, ${PAIRS} pairs`,
    "ms",
    each(({ early }) => early),
  );
  context.record(
    `beside it, turn ${turns} and the next ${SAMPLES - 1} of a thread`,
    "ms",
    each(({ late }) => late),
  );
  const kept = grown.filter(({ bytes }) => bytes[0] !== undefined);
  context.record(`bytes a turn, by thirds of the ${turns} turns`, "bytes", each(thirds, kept));
  context.record(
    `bytes of the thread after ${turns} turns`,
    "bytes",
    each(({ bytes }) => [bytes.at(-1)! - bytes[0]!], kept),
  );
  for (const one of grown) {
    if (!one.name.startsWith("hebra") || one.name.endsWith("full history")) continue;
    context.bar(`turn ${turns} against turn 3, ${one.name}`, median(one.late) / median(one.early), "<=", 1.3, "times");
    const [first, , last] = thirds(one);
    if (one.bytes[0] !== undefined)
      context.bar(`bytes a turn, the last third against the first, ${one.name}`, last! / first!, "<=", 1.1, "times");
  }
}
