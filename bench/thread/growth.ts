import { median, type BenchContext } from "../src/area.ts";
import type { Homes, Place } from "./homes.ts";
import type { Subject } from "./subject.ts";
import { kinds, type Name } from "./subjects.ts";

const PAIRS = 2;
/** A single turn says little on a busy machine: those around it are taken too. */
const AROUND = 5;

interface Grown {
  name: Name;
  place: Place;
  subject: Subject;
  ms: number[];
  /** Bytes at the beginning, after a third, two thirds and all of the turns. */
  bytes: (number | undefined)[];
}

/** One thread of many turns. */
export async function benchGrowth(context: BenchContext, homes: Homes): Promise<void> {
  const turns = context.quick ? 90 : 300;
  const names: Name[] = [
    "AI SDK loop", "hebra, memory", "hebra, SQLite", "hebra, Postgres", "hebra, Redis", "hebra, SQLite, script", "hebra, SQLite, full history", "LangGraph, SQLite", "LangGraph, Postgres",
  ];
  const grown: Grown[] = [];
  try {
    for (const name of names) {
      const place = await homes.place(kinds[name].home, `growth ${name}`);
      const subject = await kinds[name].open({ at: place.at });
      // Another thread, so that the one that is measured begins with warm code.
      for (let i = 0; i < 30; i++) await subject.turn("warm", `w${i}`, PAIRS);
      await place.settle();
      grown.push({ name, place, subject, ms: [], bytes: [await place.bytes()] });
    }
    for (let turn = 1; turn <= turns; turn++) {
      // All take the same turn before any takes the next, so that what else the machine does falls on all of them.
      for (const one of turn % 2 === 0 ? grown : grown.toReversed()) {
        const start = performance.now();
        await one.subject.turn("grows", `m${turn}`, PAIRS);
        one.ms.push(performance.now() - start);
      }
      if (turn % (turns / 3) === 0) for (const one of grown) one.bytes.push(await one.place.bytes());
    }
    for (const { name, subject } of grown) {
      const counted = await subject.turns("grows");
      if (counted !== turns) throw new Error(`${name} has ${counted} turns of ${turns}.`);
    }
  } finally {
    for (const { subject } of grown) await subject.close();
  }
  report(context, grown, turns);
}

function report(context: BenchContext, grown: readonly Grown[], turns: number): void {
  const early = ({ ms }: Grown) => ms.slice(0, AROUND);
  const late = ({ ms }: Grown) => ms.slice(-AROUND);
  const thirds = ({ bytes }: Grown) => bytes.slice(1).map((now, i) => ((now ?? 0) - (bytes[i] ?? 0)) / (turns / 3));
  const each = (figures: (one: Grown) => number[], which = grown) => Object.fromEntries(which.map((one) => [one.name, figures(one)]));
  context.record(`turn 3 of one thread, ${PAIRS} pairs each, the first ${AROUND}`, "ms", each(early));
  context.record(`turn ${turns}, the last ${AROUND}`, "ms", each(late));
  const kept = grown.filter(({ bytes }) => bytes[0] !== undefined);
  context.record(`bytes a turn, by thirds of the ${turns} turns`, "bytes", each(thirds, kept));
  context.record(`bytes of the thread after ${turns} turns`, "bytes", each(({ bytes }) => [bytes.at(-1)! - bytes[0]!], kept));
  for (const one of grown) {
    if (!one.name.startsWith("hebra") || one.name.endsWith("full history")) continue;
    context.bar(`turn ${turns} against turn 3, ${one.name}`, median(late(one)) / median(early(one)), "<=", 1.3, "times");
    const [first, , last] = thirds(one);
    if (one.bytes[0] !== undefined) context.bar(`bytes a turn, the last third against the first, ${one.name}`, last! / first!, "<=", 1.1, "times");
  }
}
