import { describe, expect, it } from "vitest";
import { createBars, hold } from "./bars.ts";
import { differences, type Said } from "./dialogue-judge.ts";
import type { Dialogue } from "./dialogue-data.ts";
import { judge, type Answer, type Observed } from "./judge.ts";
import { changedKeys } from "./keys.ts";
import { nonceOf, type Absence, type Findings, type LogLine, type SentConversation } from "./records.ts";

type Mutable = {
  sent: SentConversation[];
  stored: Map<string, Answer[]>;
  replied: Map<string, (Answer & { at: number })[]>;
  log: LogLine[];
  absences: Absence[];
};

const USERS = 2;
const EACH = 3;
const A = "chaos:a-0";
const B = "chaos:a-1";

/**
 * A phase in which all went well: each message is published at 100 n, worked on from 10 to 30 after, and answered at
 * 35.
 */
function well(): Mutable {
  const observed: Mutable = { sent: [], stored: new Map(), replied: new Map(), log: [], absences: [] };
  for (let user = 0; user < USERS; user++) {
    const session = `chaos:a-${user}`;
    const messages = Array.from({ length: EACH }, (_, n) => ({
      id: String(n),
      nonce: nonceOf("a", user, n),
      at: n * 100,
    }));
    observed.sent.push({ tenant: "default", session, messages });
    const answers = messages.map(({ nonce, at }) => ({ nonce, attempt: `${user + 1}.${at}`, at: at + 35 }));
    observed.stored.set(
      session,
      answers.map(({ nonce, attempt }) => ({ nonce, attempt })),
    );
    observed.replied.set(session, answers);
    for (const { nonce, attempt, at } of answers) {
      observed.log.push(
        { event: "start", attempt, nonce, pid: user + 1, at: at - 25 },
        { event: "end", attempt, nonce, pid: user + 1, at: at - 5 },
      );
    }
  }
  return observed;
}

const swap = <T>(list: T[], i: number, j: number) => ([list[i], list[j]] = [list[j]!, list[i]!]);
const stored = (observed: Mutable, session: string) => observed.stored.get(session)!;
const replied = (observed: Mutable, session: string) => observed.replied.get(session)!;
const begin = (observed: Mutable, pid: number, from: number, to?: number) => {
  const [attempt, nonce] = [`${pid}.x${from}`, nonceOf("a", 0, 1)];
  observed.log.push({ event: "start", attempt, nonce, pid, at: from });
  if (to !== undefined) observed.log.push({ event: "end", attempt, nonce, pid, at: to });
};

/** Violations, planted into what a phase saw, each with what must be found of it. */
const planted: Record<string, { plant(observed: Mutable): unknown; finds: Partial<Findings> }> = {
  "a turn that the store does not have": { plant: (it) => stored(it, A).splice(1, 1), finds: { lost: 1 } },
  "a conversation that the store does not have": { plant: (it) => it.stored.delete(A), finds: { lost: EACH } },
  "a reply that never came": { plant: (it) => replied(it, B).pop(), finds: { lost: 1 } },
  "a conversation without replies": { plant: (it) => it.replied.delete(B), finds: { lost: EACH } },
  "turns in another order": { plant: (it) => swap(stored(it, A), 0, 1), finds: { orderViolations: 1 } },
  "replies in another order": { plant: (it) => swap(replied(it, A), 1, 2), finds: { orderViolations: 1 } },
  "a turn that was committed twice": {
    plant: (it) => stored(it, A).push({ ...stored(it, A)[2]! }),
    finds: { doubleCommits: 1 },
  },
  "a turn in another conversation": {
    plant: (it) => stored(it, A).push({ nonce: nonceOf("a", 1, 0) }),
    finds: { misdelivered: 1 },
  },
  "a reply in another conversation": {
    plant: (it) => replied(it, B).push({ nonce: nonceOf("a", 0, 0), at: 400 }),
    finds: { misdelivered: 1 },
  },
  "a reply moved to another conversation": {
    plant: (it) => replied(it, B).push(replied(it, A).pop()!),
    finds: { misdelivered: 1, lost: 1 },
  },
  "a conversation that nobody had": {
    plant: (it) => it.stored.set("chaos:a-9", [{ nonce: "a/9/0" }]),
    finds: { misdelivered: 1 },
  },
  "two processes at once": { plant: (it) => begin(it, 7, 115, 125), finds: { overlaps: 1 } },
  "one that goes on while another has begun": { plant: (it) => begin(it, 7, 129, 140), finds: { overlaps: 1 } },
  "one that begins while a process that died later is at work": {
    plant(it) {
      begin(it, 7, 131);
      it.absences.push({ pid: 7, from: 160, to: Infinity });
      begin(it, 8, 150, 155);
    },
    finds: { overlaps: 1 },
  },
  "turns that no worker has written down": { plant: (it) => it.log.splice(0, 4), finds: { unwitnessed: 2 } },
  "one that begins after it has noticed that it was stopped": {
    plant(it) {
      begin(it, 7, 176, 190);
      it.absences.push({ pid: 7, from: 140, to: 175 });
      begin(it, 8, 165, 180);
    },
    finds: { overlaps: 1 },
  },
  "a write that was refused": {
    plant: (it) => it.log.push({ event: "refused", pid: 1, at: 5 }),
    finds: { refusedWrites: 1 },
  },
};

/** What may happen, and is no violation. */
const harmless: Record<string, { plant(observed: Mutable): unknown; finds?: Partial<Findings> }> = {
  nothing: { plant: () => {} },
  "a reply that came twice": {
    plant: (it) => replied(it, A).push({ ...replied(it, A)[0]!, at: 500 }),
    finds: { repeatedReplies: 1 },
  },
  "one that takes over from a process that was killed": {
    plant(it) {
      begin(it, 7, 131);
      it.absences.push({ pid: 7, from: 140, to: Infinity });
      begin(it, 8, 141, 150);
    },
  },
  "one that begins before it has noticed that it was stopped": {
    plant(it) {
      begin(it, 7, 170, 190);
      it.absences.push({ pid: 7, from: 140, to: 175 });
      begin(it, 8, 165, 180);
    },
  },
  "one that goes on after it was stopped, while another has taken over": {
    plant(it) {
      begin(it, 7, 131, 190);
      it.absences.push({ pid: 7, from: 140, to: 180 });
      begin(it, 8, 150, 160);
    },
  },
};

const clean = {
  orderViolations: 0,
  overlaps: 0,
  lost: 0,
  doubleCommits: 0,
  misdelivered: 0,
  unwitnessed: 0,
  repeatedReplies: 0,
  refusedWrites: 0,
};

describe("the judge of a phase", () => {
  it.each(Object.entries(planted))("finds %s", (_, { plant, finds }) => {
    const observed = well();
    plant(observed);
    expect(judge(observed)).toMatchObject({ ...clean, ...finds });
  });

  it.each(Object.entries(harmless))("lets pass: %s", (_, { plant, finds }) => {
    const observed = well();
    plant(observed);
    expect(judge(observed)).toMatchObject({ ...clean, ...finds });
  });

  it("takes the handler's own time off the latencies, and leaves out who is slow by design", () => {
    const observed: Observed = well();
    expect(judge(observed)).toMatchObject({
      messages: 6,
      p50: 15,
      p95: 15,
      p99: 15,
      max: 15,
      p95Before: 10,
      p95After: 5,
    });
    observed.replied.get(A)![0]!.at += 1_000;
    expect(judge(observed)).toMatchObject({ p50: 15, max: 1_015, p95After: 1_005 });
    expect(judge({ ...observed, aside: new Set([A]) })).toMatchObject({ messages: 6, max: 15 });
  });
});

describe("the bars", () => {
  const found = judge(well());
  const report = { phase: "a", ...found, ms: 1, settled: true };

  it.each(["orderViolations", "overlaps", "lost", "doubleCommits", "misdelivered", "unwitnessed"] as const)(
    "fail the run for %s in any phase",
    (what) => {
      const bars = createBars();
      hold({ ...report, [what]: 1 }, bars);
      expect(bars.correct()).toBe(false);
      hold(report, bars);
      expect(bars.correct()).toBe(false);
    },
  );

  it("fail it for a phase that does not come to rest, and for a fault that hit nothing", () => {
    const [restless, nothing] = [createBars(), createBars()];
    hold({ ...report, settled: false }, restless);
    expect(restless.correct()).toBe(false);
    hold(report, nothing);
    nothing.some("writes-fenced-off", 0, "times");
    expect(nothing).toMatchObject({ all: { "writes-fenced-off": { value: 0, bound: 1, ok: false } } });
    expect(nothing.correct()).toBe(false);
  });

  it("report a time that was missed, and do not fail the run for it", () => {
    const bars = createBars();
    hold(report, bars);
    bars.some("writes-fenced-off", 2, "times");
    bars.atMost("latency-p95", 50.1, 50, "ms");
    bars.atMost("nothing-measured", NaN, 50, "ms");
    expect(bars.all["latency-p95"]).toEqual({ value: 50.1, bound: 50, unit: "ms", ok: false });
    expect(bars.all["nothing-measured"]!.ok).toBe(false);
    expect(bars.correct()).toBe(true);
  });
});

describe("the histories of dialogues", () => {
  const dialogue: Dialogue = {
    id: "d",
    turns: [
      { speaker: "USER", utterance: "A table for two." },
      {
        speaker: "SYSTEM",
        utterance: "Here is one.",
        call: { service: "Restaurants", method: "Find", parameters: { seats: "2", city: "San Jose" } },
        results: [{ name: "Sino" }],
      },
      { speaker: "USER", utterance: "Thanks." },
      { speaker: "SYSTEM", utterance: "Bye." },
    ],
  };
  const history = () => structuredClone(dialogue.turns) as Said[];

  it("equal the file, whatever the order of members", () => {
    const said = history();
    said[1]!.call!.parameters = { city: "San Jose", seats: "2" };
    expect(differences(dialogue, said)).toEqual([]);
  });

  it.each<[string, (said: Said[]) => unknown, string[]]>([
    ["another text", (said) => (said[3]!.utterance = "Goodbye."), ["d turn 3: another text"]],
    ["another order", (said) => swap(said, 0, 2), ["d turn 0: another text", "d turn 2: another text"]],
    ["a missing turn", (said) => said.pop(), ["d turn 3: missing"]],
    ["a turn too much", (said) => said.push({ speaker: "SYSTEM", utterance: "Bye." }), ["d turn 4: too much"]],
    ["two turns of one side", (said) => (said[2]!.speaker = "SYSTEM"), ["d turn 2: said by the other"]],
    ["a call that was not made", (said) => delete said[1]!.call, ["d turn 1: another call"]],
    ["a call that nobody asked for", (said) => (said[3]!.call = said[1]!.call!), ["d turn 3: another call"]],
    ["other parameters", (said) => (said[1]!.call!.parameters = { seats: "3" }), ["d turn 1: another call"]],
    ["other results", (said) => (said[1]!.results = []), ["d turn 1: other results"]],
    ["a call that was cut off", (said) => (said[1]!.unsettled = true), ["d turn 1: a call that did not succeed"]],
  ])("show %s", (_, plant, finds) => {
    const said = history();
    plant(said);
    expect(differences(dialogue, said)).toEqual(finds);
  });
});

describe("the keys of Redis", () => {
  it("are the same before and after, by name", () => {
    expect(changedKeys(new Set(["a", "b"]), new Set(["b", "a"]))).toEqual([]);
    expect(changedKeys(new Set(["a", "b"]), new Set(["b", "c"]))).toEqual(["+ c", "- a"]);
  });
});
