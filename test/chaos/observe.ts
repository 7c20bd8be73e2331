import type { HistoryEntry, ThreadStore } from "@hebra/thread";
import type { Answer, Observed } from "./judge.ts";
import type { Absence, Received, SentConversation } from "./records.ts";
import type { Stage } from "./stage.ts";

/** Conversations that are read from the store at once. */
const AT_ONCE = 8;

/** The history of every conversation, by session. */
export async function histories(
  store: ThreadStore,
  sent: readonly SentConversation[],
): Promise<Map<string, HistoryEntry[]>> {
  const found = new Map<string, HistoryEntry[]>();
  const left = [...sent];
  const read = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { tenant, session, messages } = next;
      const snapshot = await store.load(tenant, { key: session });
      // Room for twice what should be there: what is too much must be seen.
      if (snapshot !== undefined)
        found.set(session, await store.history(tenant, snapshot.context.id, { items: messages.length * 4 + 10 }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, read));
  return found;
}

/** What an entry of a history says. */
export function textOf({ parts }: HistoryEntry): string {
  return parts.map(({ content }) => (content.kind === "text" ? content.text : "")).join("");
}

/** The echo says which message it answers and which attempt it was. */
export function echoed(text: string): Answer {
  const [nonce = "", attempt] = text.split("|");
  return { nonce, attempt };
}

/** The answers of the echo in a history. */
export function echoesOf(history: readonly HistoryEntry[]): Answer[] {
  return history.filter(({ item }) => item.kind === "reaction").map((entry) => echoed(textOf(entry)));
}

/** Replies by session, in the order of their arrival. */
export function repliesBySession(
  replies: readonly Received[],
  answer: (reply: Received) => Answer,
): Map<string, (Answer & { at: number })[]> {
  const found = new Map<string, (Answer & { at: number })[]>();
  for (const reply of replies) {
    const entry = { ...answer(reply), at: reply.at };
    const list = found.get(reply.session);
    if (list === undefined) found.set(reply.session, [entry]);
    else list.push(entry);
  }
  return found;
}

/** All that is known of conversations with the echo. @param since - refusals from then on are theirs. */
export async function observeEchoes(stage: Stage, sent: readonly SentConversation[], since: number): Promise<Observed> {
  const stored = new Map(
    [...(await histories(stage.store, sent))].map(([session, history]) => [session, echoesOf(history)]),
  );
  const sessions = new Set(sent.map(({ session }) => session));
  const replied = repliesBySession(
    stage.replies.filter(({ session }) => sessions.has(session)),
    ({ text }) => echoed(text),
  );
  return { sent, stored, replied, log: logOf(stage, sent, since), absences: absencesOf(stage) };
}

/** What the workers have written down about messages, and what was refused to them since. */
export function logOf(stage: Stage, sent: readonly SentConversation[], since: number): Observed["log"] {
  const nonces = new Set(sent.flatMap(({ messages }) => messages.map(({ nonce }) => nonce)));
  return stage.log().filter((line) => ("nonce" in line ? nonces.has(line.nonce) : line.at >= since));
}

/**
 * When workers were not there, by what was done to them and by what they noticed. One that was stopped is back when it
 * has noticed.
 */
export function absencesOf(stage: Stage): Absence[] {
  const awake = stage.log().filter((line) => line.event === "awake");
  return [
    ...stage.absences.map(({ pid, from, to }) => ({
      pid,
      from,
      to: awake.find((line) => line.pid === pid && line.at >= to)?.at ?? to,
    })),
    ...awake.map(({ pid, since, at }) => ({ pid, from: since, to: at })),
  ];
}
