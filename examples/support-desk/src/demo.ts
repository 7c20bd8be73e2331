import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFlags, createRouter, staticProvider, type Mode, type RolloutConfig } from "@hebra/flags";
import { applyPlan, catchUp, fileJournal, jsonlSource, planMigration, verifyMigration } from "@hebra/migrate";
import { createEngine } from "@hebra/thread";
import { handover } from "@hebra/thread/legacy";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { deskThread, type Desk } from "./desk-thread.ts";
import { exchanges, readDialogues, type Exchange } from "./dialogues.ts";
import { createOldEngine } from "./old-engine.ts";
import { createScreen, type LiveTurns } from "./screen.ts";
import { readTables } from "./read-tables.ts";

const FLAG = "new-desk";

/** What happens between one exchange of every conversation and the next. */
const phases: { title: string; rollout: Omit<RolloutConfig, "version"> }[] = [
  { title: "flag off: everybody stays with the old engine", rollout: {} },
  { title: "allow list: ana goes first", rollout: { allow: { session: ["ana"] } } },
  { title: "canary: 25 % of the conversations", rollout: { allow: { session: ["ana"] }, canary: { percent: 25 } } },
  { title: "everybody: 100 %", rollout: { canary: { percent: 100 } } },
  {
    title: "kill: back to the old engine, at once",
    rollout: { canary: { percent: 100 }, kill: { at: "2026-11-21T12:00:00Z", by: "operator", reason: "drill" } },
  },
];

const DAY_MS = 86_400_000;

/** Exchanges that each customer has had with the old engine before anything moves. */
const PAST = 2;

/**
 * A desk moves from its old engine to the new one, and back, while its customers write. Throws unless everything is as
 * it should be.
 */
export async function demo(dataFile: string, write: (text: string) => void): Promise<void> {
  const screen = createScreen(write);
  const folder = mkdtempSync(join(tmpdir(), "hebra-desk-"));
  const file = join(folder, "desk.sqlite");
  const past = join(folder, "old-engine");
  const conversations = new Map<string, Exchange[]>();
  for await (const dialogue of readDialogues(dataFile)) conversations.set(dialogue.id, exchanges(dialogue));
  const sessions = [...conversations.keys()];

  screen.chapter(`The old engine has talked with ${sessions.length} customers`);
  let now = Date.now() - DAY_MS;
  let today = false;
  const old = createOldEngine(() => (now = today ? Math.max(now + 1, Date.now()) : now + 1_000));
  for (const [session, lines] of conversations)
    lines.slice(0, PAST).forEach((exchange, i) => old.answer(session, `past-${i}`, exchange));
  today = true;
  old.exportTo(past);
  screen.line(`${sessions.length * PAST} turns, in five tables of JSON lines.`);

  screen.chapter("Its history moves: plan, apply, verify");
  const store = await sqliteStore({ path: file });
  const source = jsonlSource(past);
  const { plan, rejects } = await planMigration({ source, target: store });
  screen.line(
    `plan    ${plan.contexts.count} conversations, ${plan.expected["items"]} items, ${plan.expected["calls"]} calls; ${rejects.length} rejects; pinned as ${plan.hash.slice(0, 12)}`,
  );
  const applied = await applyPlan({
    plan,
    source,
    target: store,
    journal: fileJournal(join(folder, "journal.jsonl")),
    onProgress: screen.progress,
  });
  screen.line(`apply   ${applied.changed} written`);
  const verified = await verifyMigration({ source, target: store });
  screen.line(`verify  ${verified.ok ? "every count, link, field and order is as the old rows say" : "DIFFERENT"}`);
  assert.equal(rejects.length, 0);
  assert.equal(verified.ok, true);
  assert.equal(applied.changed, sessions.length);

  const desks = new Map<string, Desk>();
  const desk = deskThread((key) => desks.get(key)!, screen.paceMs);
  const engine = createEngine({ store, threads: [desk] });
  const provider = staticProvider({ flags: {}, rollouts: { [FLAG]: { version: 1 } } });
  const flags = createFlags({ provider });
  await flags.ready();
  const handedOver = new Map<string, number>();
  const router = createRouter({
    flags,
    // Before a conversation goes over, what the old engine wrote since the move is added.
    migrated: async (session) => {
      await catchUp({ group: old.group(session), target: store });
      return true;
    },
    hasLegacyHistory: () => true,
  });
  const served = new Map<string, Mode[]>(sessions.map((session) => [session, []]));

  /** One exchange of one conversation, through the flag. */
  async function talk(session: string, index: number, turns: LiveTurns): Promise<void> {
    const exchange = conversations.get(session)![index]!;
    const answer = await router.route<{ mode: Mode; text: string }>(
      FLAG,
      { session },
      {
        legacy: () => ({ mode: "legacy", text: old.answer(session, `turn-${index}`, exchange) }),
        next: async ({ signal }) => {
          desks.set(session, { exchange });
          const turn = await engine.react(
            desk,
            { id: `turn-${index}`, text: exchange.user.utterance },
            { address: { key: session }, signal },
          );
          await turns.stream(session, exchange.user.utterance, turn.stream);
          const result = await turn.result;
          assert.equal(result.status, "completed", result.error?.message);
          return { mode: "new", text: result.text };
        },
        // Both engines throw when they fail.
        outcome: () => "ok",
        handover: async () => void handedOver.set(session, old.accept(await handover(store, { key: session }))),
      },
    );
    assert.equal(answer.text, exchange.system.utterance);
    served.get(session)!.push(answer.mode);
    turns.done(session, answer.mode, exchange.user.utterance, answer.text);
  }

  let version = 1;
  let round = PAST;
  const move = (rollout: Omit<RolloutConfig, "version">) =>
    provider.set({ flags: {}, rollouts: { [FLAG]: { version: ++version, ...rollout } } });
  for (const { title, rollout } of phases) {
    screen.chapter(title);
    move(rollout);
    const turns = screen.turns(sessions);
    await Promise.all(sessions.map((session) => talk(session, round, turns)));
    turns.end();
    round++;
  }

  screen.chapter("What the old engine answers from, after the cut");
  let newTurns = 0;
  for (const session of sessions) {
    const lines = old.history(session);
    const expected = conversations
      .get(session)!
      .slice(0, round)
      .flatMap(({ user, system }) => [user.utterance, system.utterance]);
    assert.deepEqual(
      lines.map(({ text }) => text),
      expected,
      `${session}: the history after the cut is not the conversation.`,
    );
    assert.equal(new Set(lines.map(({ eventId }) => eventId)).size, lines.length);
    newTurns += served.get(session)!.filter((mode) => mode === "new").length;
  }
  screen.line(
    `Every line of all ${sessions.length} conversations, each once: also the ${newTurns} turns that the new engine served.`,
  );

  await engine.close();
  router.close();
  await flags.close();
  await store.close();
  const tables = readTables(file);
  screen.chapter("Read back from the SQLite file");
  screen.table(tables, served);

  const modes = (phase: number) => sessions.filter((session) => served.get(session)![phase] === "new").length;
  assert.equal(modes(0), 0, "off means off");
  assert.equal(modes(1), 1, "the allow list holds one");
  assert.ok(modes(2) >= 1 && modes(2) < sessions.length, "a canary is a part");
  assert.equal(modes(3), sessions.length, "100 % is everybody");
  assert.equal(modes(4), 0, "after the kill nobody");
  assert.equal(
    tables.reduce((sum, row) => sum + row.executionsNew, 0),
    newTurns,
  );
  assert.equal(handedOver.size, sessions.length);
  for (const row of tables) assert.equal(row.pending, 0, `${row.key}: something was left pending`);
  rmSync(folder, { recursive: true, force: true });
  screen.line("");
  screen.line("All of it held: nothing lost, nothing twice, nothing pending.");
}
