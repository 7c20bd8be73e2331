import type { ThreadStore } from "@hebra/thread";
import { nonceOf, type Absence, type LogLine, type PhaseReport, type Received } from "./records.ts";

/** What a phase sent: to each user so many, and when each was published first. */
export interface Sent {
  phase: string;
  users: number;
  each: number;
  tenant: string;
  publishedAt: ReadonlyMap<string, number>;
}

/** Compares the store, the replies and the workers' own log with what was sent. */
export async function verify(sent: Sent, store: ThreadStore, log: readonly LogLine[], replies: readonly Received[], absences: readonly Absence[]): Promise<Omit<PhaseReport, "deadLetters" | "ms">> {
  const { phase, users, each, tenant, publishedAt } = sent;
  const mine = log.filter(({ nonce }) => nonce.startsWith(`${phase}/`));
  const found = { orderViolations: 0, overlaps: 0, lost: 0, doubleCommits: 0, misdelivered: 0, repeatedReplies: 0, refusedAnswers: 0 };
  const committed = new Set<string>();
  const latencies: number[] = [];
  const took = durations(mine);
  for (let user = 0; user < users; user++) {
    const session = `chaos:${phase}-${user}`;
    const expected = Array.from({ length: each }, (_, n) => nonceOf(phase, user, n));

    const snapshot = await store.load(tenant, { key: session });
    const history = snapshot === undefined ? [] : await store.history(tenant, snapshot.context.id, { items: each * 4 });
    const answers = history.filter(({ item }) => item.kind === "reaction").map(({ parts }) => parts.map(({ content }) => (content.kind === "text" ? content.text : "")).join(""));
    const nonces = answers.map((text) => text.split("|")[0]!);
    for (const text of answers) committed.add(text.split("|")[1]!);
    found.lost += expected.filter((nonce) => !nonces.includes(nonce)).length;
    found.doubleCommits += nonces.length - new Set(nonces).size;
    found.misdelivered += nonces.filter((nonce) => !expected.includes(nonce)).length;
    found.orderViolations += inversions([...new Set(nonces)].filter((nonce) => expected.includes(nonce)), expected);

    const own = replies.filter((reply) => reply.session === session);
    const said = own.map(({ text }) => text.split("|")[0]!);
    const first = [...new Set(said)];
    found.lost += expected.filter((nonce) => !said.includes(nonce)).length;
    found.misdelivered += first.filter((nonce) => !expected.includes(nonce)).length;
    found.repeatedReplies += said.length - first.length;
    found.orderViolations += inversions(first.filter((nonce) => expected.includes(nonce)), expected);
    for (const nonce of expected) {
      const at = own.find(({ text }) => text.startsWith(`${nonce}|`));
      const published = publishedAt.get(nonce);
      if (at !== undefined && published !== undefined) latencies.push(at.at - published - (took.get(at.text.split("|")[1]!) ?? 0));
    }
    found.overlaps += overlaps(mine.filter(({ nonce }) => nonce.startsWith(`${phase}/${user}/`)), absences);
  }
  found.refusedAnswers = mine.filter(({ event, attempt }) => event === "end" && !committed.has(attempt)).length;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => Math.round((latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN) * 10) / 10;
  return { phase, messages: users * each, ...found, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** How many neighbours stand the wrong way round. */
function inversions(found: readonly string[], expected: readonly string[]): number {
  const places = found.map((nonce) => expected.indexOf(nonce));
  return places.filter((place, index) => index > 0 && place < places[index - 1]!).length;
}

function durations(log: readonly LogLine[]): Map<string, number> {
  const starts = new Map(log.filter(({ event }) => event === "start").map(({ attempt, at }) => [attempt, at]));
  return new Map(log.filter(({ event }) => event === "end").map(({ attempt, at }) => [attempt, at - starts.get(attempt)!]));
}

/** How often two processes that were both alive worked on one conversation at once. One that was stopped or killed does not count from then on. */
function overlaps(log: readonly LogLine[], absences: readonly Absence[]): number {
  const intervals = log
    .filter(({ event }) => event === "start")
    .map(({ attempt, pid, at: from }) => {
      const end = log.find((line) => line.event === "end" && line.attempt === attempt)?.at ?? Infinity;
      const gone = absences.find((absence) => absence.pid === pid && absence.from >= from - 1 && absence.from <= end);
      return { pid, from, to: gone?.from ?? (end === Infinity ? from : end) };
    })
    .sort((a, b) => a.from - b.from);
  let count = 0;
  let last = -Infinity;
  for (const { from, to } of intervals) {
    if (from < last - 0.5) count++;
    last = Math.max(last, to);
  }
  return count;
}
