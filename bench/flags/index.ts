import { createFlags, staticProvider, type FlagContext } from "@hebra/flags";
import type { Area, BenchContext } from "../src/area.ts";
import { bytesAllocated, makeLoop, nanoseconds } from "./loops.ts";
import { document, FLAG, hits, killed, misses, openSubjects, type Subject } from "./subjects.ts";

/** Calls a round: enough that a round takes some tens of milliseconds. */
const callsOf = (subject: Subject, quick: boolean) => (subject.isAsync ? 20_000 : 300_000) / (quick ? 5 : 1);

async function compareClients(context: BenchContext, subjects: Record<string, Subject>): Promise<void> {
  const loops = Object.fromEntries(Object.entries(subjects).map(([name, { isAsync }]) => [name, makeLoop(isAsync)]));
  const round = (contexts: readonly FlagContext[]) =>
    Object.fromEntries(
      Object.entries(subjects).map(([name, subject]) => {
        const prepared = contexts.map((each) => subject.prepare(each));
        return [name, () => nanoseconds(loops[name]!, subject.isOn, prepared, callsOf(subject, context.quick))];
      }),
    );
  const canary = await context.compare("a canary decision: two allow-list misses and a hash", "ns", 9, round(misses));
  await context.compare("an allow-list hit", "ns", 9, round(hits));
  const [ours, flagd] = [canary["@hebra/flags"]!.value, canary["@openfeature/flagd-core"]!.value];
  context.bar("a canary decision", ours, "<=", 150, "ns");
  context.bar("against flagd-core", flagd / ours, ">=", 4, "times");
}

/** Each puts about a tenth of the sessions on; one that did not would be measured at something else. */
async function checkShares(context: BenchContext, subjects: Record<string, Subject>): Promise<void> {
  const shares: string[] = [];
  for (const [name, subject] of Object.entries(subjects)) {
    let on = 0;
    for (const each of misses) if (await subject.isOn(subject.prepare(each) as never)) on++;
    const percent = (on / misses.length) * 100;
    if (!name.endsWith("in-memory") && (percent < 7 || percent > 13))
      throw new Error(`${name} has ${percent} % of the sessions on, not about 10.`);
    for (const each of hits.slice(0, 20))
      if (!(await subject.isOn(subject.prepare(each) as never)))
        throw new Error(`${name} does not know the allow list.`);
    shares.push(`${name} ${percent.toFixed(1)} %`);
  }
  context.note(
    `Sessions on at 10 %: ${shares.join(", ")}. The in-memory provider has no percentages and is measured without. Times are processor time.`,
  );
}

/** What a killed flag costs, and what either decision allocates. */
async function alone(context: BenchContext): Promise<void> {
  const flags = createFlags({ provider: staticProvider(document) });
  const off = createFlags({ provider: staticProvider(killed) });
  const loop = makeLoop(false);
  const isOn = (each: FlagContext) => off.decide(FLAG, each).mode === "new";
  const kill = await context.compare("a killed flag", "ns", 9, {
    "@hebra/flags": () => nanoseconds(loop, isOn as never, misses, context.quick ? 1_000_000 : 5_000_000),
  });
  context.bar("a killed flag", kill["@hebra/flags"]!.value, "<=", 10, "ns");

  const decide = (client: typeof flags) => {
    const keep: unknown[] = [undefined];
    // The decision escapes, as it does from a caller that keeps it: nothing is optimised away.
    return (times: number) => {
      for (let i = 0; i < times; i++) keep[0] = client.decide(FLAG, misses[i & 1023]!);
    };
  };
  const [canaryRun, killedRun] = [decide(flags), decide(off)];
  const bytes = await context.compare("allocated a decision, over 1,000,000", "bytes", 3, {
    canary: async () => bytesAllocated(canaryRun, 1_000_000),
    killed: async () => bytesAllocated(killedRun, 1_000_000),
  });
  context.bar("allocated a canary decision", bytes["canary"]!.value, "<=", 160, "bytes");
  // Whole bytes: what the runtime itself allocates in the meantime comes to some hundredths a decision.
  context.bar("allocated a killed decision", Math.round(bytes["killed"]!.value), "<=", 0, "bytes");
  await Promise.all([flags.close(), off.close()]);
}

/** A decision, beside the clients of other flag systems. */
export const area: Area = {
  packages: [
    "@hebra/flags",
    "@openfeature/flagd-core",
    "@growthbook/growthbook",
    "@launchdarkly/node-server-sdk",
    "unleash-client",
    "@openfeature/server-sdk",
  ],
  async run(context) {
    const subjects = await openSubjects();
    try {
      await checkShares(context, subjects);
      await compareClients(context, subjects);
      await alone(context);
    } finally {
      await Promise.all(Object.values(subjects).map((subject) => subject.close()));
    }
  },
};
