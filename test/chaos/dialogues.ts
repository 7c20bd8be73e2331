import { setTimeout as wait } from "node:timers/promises";
import type { JsonObject, JsonValue } from "@hebra/core";
import type { HistoryEntry } from "@hebra/thread";
import { hold, type Bars } from "./bars.ts";
import { dialogueFile, dialogues, type Dialogue } from "./dialogue-data.ts";
import { differences, type Said } from "./dialogue-judge.ts";
import { flushScripts, killConnections, killWorker, pauseWorker, stopRedis } from "./faults.ts";
import { judge } from "./judge.ts";
import { absencesOf, histories, logOf, repliesBySession, textOf } from "./observe.ts";
import { nonceOf, now, type PhaseReport, type SentConversation } from "./records.ts";
import type { Stage } from "./stage.ts";
import { publish } from "./talk.ts";

/** Every so many users do not wait for an answer before they say the next thing. */
const IMPATIENT = 5;
/** Every so many messages are published twice. */
const DOUBLED = 7;
const SETTLE_MS = 120_000;
/** Milliseconds after which a user gives up an answer: it counts as lost. */
const GIVE_UP_MS = 120_000;

/** Lets people who talked with each other before do so again, while everything goes wrong in turn. */
export async function playDialogues(stage: Stage, count: number, bars: Bars): Promise<PhaseReport | undefined> {
  const all = dialogues();
  if (all === undefined) {
    console.log(`dialogues           left out: ${dialogueFile} is absent`);
    return undefined;
  }
  const startedAt = now();
  const chosen = spread([...all.values()], count);
  const waiting = [...chosen.keys()];
  const sent: SentConversation[] = [];
  const user = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      sent.push(await play(stage, chosen[next]!, next % IMPATIENT === 0));
  };
  let over = false;
  const faults = (async () => {
    // Whether a late write is refused is another part's: here nobody may be left to make it come.
    const list: ((stage: Stage) => Promise<unknown>)[] = [
      (on) => killWorker(on),
      flushScripts,
      (on) => pauseWorker(on, undefined, 1),
      killConnections,
      (on) => stopRedis(on, 2_000),
    ];
    let done = 0;
    // Each in turn, as long as people talk; at least one, however few they are.
    for (; !over || done === 0; done++) {
      await list[done % list.length]!(stage);
      for (let rest = 0; rest < 15 && !over; rest++) await wait(100);
    }
    return done;
  })();
  await Promise.all(Array.from({ length: stage.users }, user)).finally(() => (over = true));
  const [done, settled] = [await faults, await stage.quiet(SETTLE_MS)];

  const found = await histories(stage.store, sent);
  const wrong = chosen.flatMap((dialogue) => differences(dialogue, saidIn(found.get(sessionOf(dialogue)) ?? [])));
  // A reply says no more than its text: it must be the one that the file has at the place that it answers.
  const replied = repliesBySession(
    stage.replies.filter(({ session }) => all.has(session.slice("chaos:".length))),
    ({ session, inReplyTo, text }) => {
      const id = session.slice("chaos:".length);
      const right = all.get(id)?.turns[Number(inReplyTo) * 2 + 1]?.utterance === text;
      return { nonce: right ? nonceOf("dialogues", id, Number(inReplyTo)) : `another text: ${text}` };
    },
  );
  // Which turns there are is told by the histories above; here each counts for the message at its place.
  const stored = new Map(
    chosen.map((dialogue) => [
      sessionOf(dialogue),
      reactions(found.get(sessionOf(dialogue)) ?? []).map((_, n) => ({ nonce: nonceOf("dialogues", dialogue.id, n) })),
    ]),
  );
  const log = logOf(stage, sent, startedAt);
  const findings = judge({ sent, stored, replied, log, absences: absencesOf(stage) });
  const calls = chosen.reduce((sum, { turns }) => sum + turns.filter(({ call }) => call !== undefined).length, 0);
  const note = `${chosen.length} dialogues with ${calls} calls, ${done} faults${wrong.length === 0 ? ", histories equal the file" : `; ${wrong.slice(0, 3).join(", ")}`}`;
  const report: PhaseReport = { phase: "dialogues", ...findings, ms: Math.round(now() - startedAt), settled, note };
  hold(report, bars);
  bars.none("histories-differ", wrong.length, "turns");
  return report;
}

const sessionOf = ({ id }: Dialogue) => `chaos:${id}`;

/** So many of a list, from all of it. */
function spread<T>(list: readonly T[], count: number): T[] {
  if (count >= list.length) return [...list];
  return Array.from({ length: count }, (_, n) => list[Math.floor((n * list.length) / count)]!);
}

/** One user says his side of a dialogue. */
async function play(stage: Stage, dialogue: Dialogue, impatient: boolean): Promise<SentConversation> {
  const session = sessionOf(dialogue);
  const said = dialogue.turns.filter(({ speaker }) => speaker === "USER");
  const conversation: SentConversation = {
    tenant: "default",
    session,
    messages: said.map((_, n) => ({ id: String(n), nonce: nonceOf("dialogues", dialogue.id, n) })),
  };
  const answers = new Set<string>();
  let heard = () => {};
  const stop = stage.onReply((reply) => {
    if (reply.session !== session) return;
    answers.add(reply.inReplyTo);
    heard();
  });
  const answered = (id: string) => {
    const late = wait(GIVE_UP_MS, undefined, { ref: false });
    const here = new Promise<void>((resolve) => {
      heard = () => answers.has(id) && resolve();
      heard();
    });
    return Promise.race([here, late]);
  };
  for (const [n, { utterance }] of said.entries()) {
    const message = conversation.messages[n]!;
    const again = n % DOUBLED === 0 ? 2 : 1;
    await Promise.all(
      Array.from({ length: again }, () =>
        publish(
          stage,
          { id: message.id, chat: dialogue.id, text: utterance, thread: "dialogue" },
          () => (message.at ??= now()),
        ),
      ),
    );
    if (!impatient) await answered(message.id);
  }
  if (impatient) await answered(conversation.messages.at(-1)!.id);
  stop();
  return conversation;
}

const reactions = (history: readonly HistoryEntry[]) => history.filter(({ item }) => item.kind === "reaction");

/** A history in the words of the file. */
export function saidIn(history: readonly HistoryEntry[]): Said[] {
  return history.map((entry): Said => {
    if (entry.item.kind !== "reaction")
      return {
        speaker: "USER",
        utterance: entry.item.content.map((part) => (part.kind === "text" ? part.text : "")).join(""),
      };
    const call = entry.parts.find(({ content }) => content.kind === "action")?.content;
    if (call?.kind !== "action") return { speaker: "SYSTEM", utterance: textOf(entry) };
    const { turn: _turn, ...request } = call.input as JsonObject;
    return {
      speaker: "SYSTEM",
      utterance: textOf(entry),
      call: request as unknown as NonNullable<Said["call"]>,
      results: (call.output ?? null) as JsonValue,
      ...(call.status === "succeeded" ? {} : { unsettled: true }),
    };
  });
}
