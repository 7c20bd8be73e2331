import { percentiles } from "./percentiles.ts";
import type { Absence, AttemptLine, Findings, LogLine, SentConversation } from "./records.ts";

/** What stands in a conversation's history, or came out of it: which message it answers, and by whom. */
export interface Answer {
  nonce: string;
  /** The asking of the model that it came from, where the answer says it. */
  attempt?: string | undefined;
}

/**
 * All that is known about a phase from outside: what was sent, what the store has, what the channel got, what the
 * workers wrote down.
 */
export interface Observed {
  sent: readonly SentConversation[];
  /** By session, in the order of the history. */
  stored: ReadonlyMap<string, readonly Answer[]>;
  /** By session, in the order of arrival. */
  replied: ReadonlyMap<string, readonly (Answer & { at: number })[]>;
  log: readonly LogLine[];
  absences: readonly Absence[];
  /** Sessions whose latencies are left out: they are slow by design. */
  aside?: ReadonlySet<string>;
}

/** So many examples are enough. */
const EXAMPLES = 5;

/** Compares what came out with what was sent. */
export function judge({ sent, stored, replied, log, absences, aside }: Observed): Findings {
  const found = {
    messages: 0,
    orderViolations: 0,
    overlaps: 0,
    lost: 0,
    doubleCommits: 0,
    misdelivered: 0,
    unwitnessed: 0,
    repeatedReplies: 0,
    refusedWrites: 0,
  };
  const attempts = readAttempts(log);
  const examples: string[] = [];
  const latencies: number[] = [];
  const before: number[] = [];
  const after: number[] = [];
  for (const { session, messages } of sent) {
    const expected = messages.map(({ nonce }) => nonce);
    found.messages += expected.length;
    const turns = compare(expected, stored.get(session) ?? []);
    found.doubleCommits += turns.repeated;
    const replies = replied.get(session) ?? [];
    const answers = compare(expected, replies);
    found.repeatedReplies += answers.repeated;
    for (const [where, { lost, misplaced, strange }] of [["store", turns] as const, ["channel", answers] as const]) {
      if (lost + misplaced + strange > 0)
        examples.push(`${session} in the ${where}: ${lost} lost, ${misplaced} misplaced, ${strange} strange`);
      found.lost += lost;
      found.orderViolations += misplaced;
      found.misdelivered += strange;
    }
    const mine = expected.flatMap((nonce) => attempts.get(nonce) ?? []);
    const together = overlaps(mine, absences);
    found.overlaps += together.length;
    examples.push(...together.map((words) => `${session}: ${words}`));
    found.unwitnessed += expected.filter((nonce) => !attempts.has(nonce)).length;
    if (aside?.has(session) === true) continue;
    for (const { nonce, at } of messages) {
      const reply = replies.find((candidate) => candidate.nonce === nonce);
      if (reply === undefined || at === undefined) continue;
      const work = (attempts.get(nonce) ?? []).filter(
        ({ name }) => reply.attempt === undefined || name === reply.attempt,
      );
      latencies.push(reply.at - at - work.reduce((sum, { from, to = from }) => sum + (to - from), 0));
      if (work.length === 0) continue;
      before.push(Math.min(...work.map(({ from }) => from)) - at);
      after.push(reply.at - Math.max(...work.map(({ from, to = from }) => to)));
    }
  }
  // Whose conversation nobody had is nobody's either.
  const known = new Set(sent.map(({ session }) => session));
  for (const [session, answers] of [...stored, ...replied])
    if (!known.has(session)) found.misdelivered += answers.length;
  found.refusedWrites = log.filter(({ event }) => event === "refused").length;
  return {
    ...found,
    examples: examples.slice(0, EXAMPLES),
    ...percentiles(latencies),
    p95Before: percentiles(before).p95,
    p95After: percentiles(after).p95,
  };
}

/** How answers differ from what is expected in their order. */
function compare(
  expected: readonly string[],
  answers: readonly Answer[],
): { lost: number; repeated: number; strange: number; misplaced: number } {
  const places = new Map(expected.map((nonce, place) => [nonce, place]));
  const first = [...new Set(answers.map(({ nonce }) => nonce))];
  const order = first.flatMap((nonce) => places.get(nonce) ?? []);
  return {
    lost: expected.filter((nonce) => !first.includes(nonce)).length,
    repeated: answers.length - first.length,
    strange: first.length - order.length,
    misplaced: order.filter((place, index) => index > 0 && place < order[index - 1]!).length,
  };
}

/** A stretch of work: from its beginning to its end, or to the end of what is known about it. */
interface Attempt {
  name: string;
  pid: number;
  from: number;
  to: number | undefined;
}

function readAttempts(log: readonly LogLine[]): Map<string, Attempt[]> {
  const lines = log.filter((line): line is AttemptLine => "nonce" in line);
  const ends = new Map(lines.filter(({ event }) => event === "end").map(({ attempt, at }) => [attempt, at]));
  const attempts = new Map<string, Attempt[]>();
  for (const { event, nonce, attempt, pid, at } of lines) {
    if (event !== "start") continue;
    const entry = { name: attempt, pid, from: at, to: ends.get(attempt) };
    const list = attempts.get(nonce);
    if (list === undefined) attempts.set(nonce, [entry]);
    else list.push(entry);
  }
  return attempts;
}

/**
 * Where two processes that were both there worked on one conversation at once. One that was stopped or killed does not
 * count from then on.
 */
function overlaps(attempts: readonly Attempt[], absences: readonly Absence[]): string[] {
  const intervals = attempts
    // What began while its process did not know that it had been away is no more than the rest of what it did before.
    .filter(
      ({ pid, from }) => !absences.some((absence) => absence.pid === pid && from > absence.from && from < absence.to),
    )
    .map(({ name, pid, from, to }) => {
      const gone = absences.find(
        (absence) => absence.pid === pid && absence.from >= from && absence.from <= (to ?? Infinity),
      );
      return { name, from, to: gone?.from ?? to ?? from };
    })
    .sort((a, b) => a.from - b.from);
  const found: string[] = [];
  let last: { name: string; to: number } | undefined;
  for (const { name, from, to } of intervals) {
    if (last !== undefined && from < last.to)
      found.push(`${name} began ${(last.to - from).toFixed(1)} ms before the end of ${last.name}`);
    if (last === undefined || to > last.to) last = { name, to };
  }
  return found;
}
