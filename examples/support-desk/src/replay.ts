import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { createEngine, type Engine, type ThreadStore } from "@hebra/thread";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { deskThread, type Desk } from "./desk-thread.ts";
import { exchanges, readDialogues, type Dialogue } from "./dialogues.ts";
import { progressBar } from "./progress-bar.ts";
import { countRows } from "./count-rows.ts";

/** Conversations that are served at the same time. */
const CONCURRENCY = 16;

/** What a replay counted, on both sides. */
export interface ReplayReport {
  dialogues: number;
  utterances: number;
  executions: number;
  calls: number;
  emptyResults: number;
  seconds: number;
  executionsPerSecond: number;
  peakMemoryMb: number;
  fileMb: number;
}

/**
 * Plays every dialogue of a file through the engine into a SQLite file, and checks each against the file afterwards.
 */
export async function replay(path: string, write: (text: string) => void): Promise<ReplayReport> {
  const folder = mkdtempSync(join(tmpdir(), "hebra-replay-"));
  const file = join(folder, "desk.sqlite");
  const store = await sqliteStore({ path: file });
  const desks = new Map<string, Desk>();
  const engine = createEngine({ store, threads: [deskThread((key) => desks.get(key)!)] });
  const expected = { dialogues: 0, utterances: 0, executions: 0, calls: 0, emptyResults: 0 };
  const bar = progressBar("conversations", write);
  const started = performance.now();
  try {
    const source = readDialogues(path);
    const clerks = Array.from({ length: CONCURRENCY }, async () => {
      for (let next = await source.next(); next.done !== true; next = await source.next()) {
        const dialogue = next.value;
        await serve(engine, desks, dialogue);
        await check(store, dialogue);
        expected.dialogues++;
        for (const turn of dialogue.turns) {
          expected.utterances++;
          if (turn.speaker === "USER") expected.executions++;
          if (turn.call !== undefined) expected.calls++;
          if (turn.call !== undefined && (turn.results ?? []).length === 0) expected.emptyResults++;
        }
        bar.tick();
      }
    });
    await Promise.all(clerks);
    const seconds = (performance.now() - started) / 1000;
    bar.end();
    await engine.close();
    await store.close();

    const counted = countRows(file);
    assert.deepEqual(counted, {
      items: expected.utterances,
      executions: expected.executions,
      completed: expected.executions,
      calls: expected.calls,
      emptyResults: expected.emptyResults,
      contexts: expected.dialogues,
    });
    return {
      ...expected,
      seconds,
      executionsPerSecond: expected.executions / seconds,
      peakMemoryMb: process.resourceUsage().maxRSS / 1024,
      fileMb: statSync(file).size / 2 ** 20,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function serve(engine: Engine, desks: Map<string, Desk>, dialogue: Dialogue): Promise<void> {
  for (const [i, exchange] of exchanges(dialogue).entries()) {
    desks.set(dialogue.id, { exchange });
    const turn = await engine.react(
      "support-desk",
      { id: `${dialogue.id}:${i}`, text: exchange.user.utterance },
      { address: { key: dialogue.id } },
    );
    const result = await turn.result;
    assert.equal(result.status, "completed", `Dialogue ${dialogue.id}, exchange ${i}: ${JSON.stringify(result.error)}`);
  }
  desks.delete(dialogue.id);
}

/** The stored conversation is the file's: every line in its place, every result in the part of its call. */
async function check(store: ThreadStore, dialogue: Dialogue): Promise<void> {
  const snapshot = await store.load("default", { key: dialogue.id });
  const history = await store.history("default", snapshot!.context.id, { items: dialogue.turns.length });
  assert.equal(history.length, dialogue.turns.length, `Dialogue ${dialogue.id} has another number of items.`);
  for (const [i, turn] of dialogue.turns.entries()) {
    const { item, parts } = history[i]!;
    const content = item.kind === "trigger" ? item.content : parts.map((part) => part.content);
    const text = content.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("");
    assert.equal(text, turn.utterance, `Dialogue ${dialogue.id}, line ${i}.`);
    const calls = content.filter((part) => part.kind === "action");
    assert.equal(calls.length, turn.call === undefined ? 0 : 1, `Dialogue ${dialogue.id}, line ${i}.`);
    const call = calls[0];
    if (call?.kind === "action")
      assert.ok(
        isDeepStrictEqual(call.output, turn.results) && isDeepStrictEqual(call.input, turn.call!.parameters),
        `Dialogue ${dialogue.id}, line ${i}: the result is not merged.`,
      );
  }
}
