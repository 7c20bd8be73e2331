import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock, type JsonObject } from "@hebra/core";
import { storyBundle } from "@hebra/migrate";
import { createEngine, defineThread, storeLocks, type ThreadStore } from "@hebra/thread";
import { catchUp, handover, jsonLinesReader } from "@hebra/thread/legacy";
import { scriptedReactor } from "@hebra/thread/reactor";
import { memoryStore } from "@hebra/thread/store/memory";

/** When everything happens: two runs give the same rows. */
const NOW = 1_767_225_600_000;
const clock = { ...systemClock, now: () => NOW };
/** The lease of a process that was killed ends by itself, and is waited for. */
const LEASE_TTL_MS = 1_000;
/** The context's id, in the old rows and in the store. */
export const conversationId = "conversation";
const key = "customer-7";

const iso = (second: number) => new Date(NOW - 1_000_000 + second * 1_000).toISOString();
const at = (second: number) => ({ createdAt: iso(second), updatedAt: iso(second) });
const text = (words: string) => ({ type: "text", text: words });

type Entity = "context_contexts" | "context_events" | "story_executions" | "story_steps" | "story_parts";
type Rows = Record<Entity, JsonObject[]>;

/** A turn of the old engine: a call and an answer, or as far as it came. */
function oldTurn(n: number, ended: boolean): Rows {
  const [second, run, step] = [n * 10, `run-${n}`, `step-${n}`];
  const call = { type: "tool-find", toolCallId: `call-${n}`, input: { number: `A-${n}` } };
  const events = [
    {
      id: `in-${n}`,
      context: conversationId,
      type: "input_text",
      channel: "web",
      status: "stored",
      content: { parts: [text(`Where is A-${n}?`)] },
      ...at(second),
    },
    {
      id: `out-${n}`,
      context: conversationId,
      type: "output_text",
      channel: "web",
      status: ended ? "completed" : "pending",
      content: {
        parts: ended ? [{ ...call, state: "output-available", output: "shipped" }, text("It has shipped.")] : [],
      },
      ...at(second + 1),
    },
  ];
  return {
    context_contexts: [],
    context_events: events,
    story_executions: [
      {
        id: run,
        context: conversationId,
        trigger: `in-${n}`,
        reaction: `out-${n}`,
        status: ended ? "completed" : "executing",
        ...at(second),
      },
    ],
    story_steps: [
      {
        id: step,
        execution: run,
        iteration: 0,
        status: ended ? "completed" : "running",
        toolExecutionResults: ended ? [{ toolCallId: `call-${n}`, success: true, output: "shipped" }] : [],
        ...at(second),
      },
    ],
    story_parts: [{ id: `part-${n}`, key: `${step}:0`, step, idx: 0, type: "tool-find", part: call, ...at(second) }],
  };
}

function together(...all: readonly Rows[]): Rows {
  const of = (entity: Entity) => all.flatMap((rows) => rows[entity]);
  return {
    context_contexts: of("context_contexts"),
    context_events: of("context_events"),
    story_executions: of("story_executions"),
    story_steps: of("story_steps"),
    story_parts: of("story_parts"),
  };
}

/**
 * A catch-up: the first brings the conversation in whole, the second adds two turns, the third ends one that was
 * unfinished.
 */
export const stages = ["whole", "added", "ended"] as const;
export type Stage = (typeof stages)[number];

/** The folder of the old engine's rows at each catch-up. */
export type Folders = Readonly<Record<Stage, string>>;

/** Writes what the old engine holds at each catch-up. */
export async function writeOldRows(directory: string): Promise<Folders> {
  const folders: Folders = {
    whole: join(directory, "whole"),
    added: join(directory, "added"),
    ended: join(directory, "ended"),
  };
  const write = (folder: string, rows: Rows) => {
    mkdirSync(folder);
    for (const [entity, some] of Object.entries(rows))
      writeFileSync(join(folder, `${entity}.jsonl`), some.map((row) => JSON.stringify(row)).join("\n"));
  };
  const context: Rows = {
    ...together(),
    context_contexts: [{ id: conversationId, key, status: "open", content: { orders: 1 }, ...at(0) }],
  };
  const first = together(context, oldTurn(1, true), oldTurn(2, true));
  write(folders.whole, first);
  // What the new engine answered in between has come to the old one.
  const store = memoryStore();
  await catchUpTo("whole", folders, store);
  const back = together(first, { ...(await handover(store, { key })), context_contexts: [] });
  await store.close();
  write(folders.added, together(back, oldTurn(3, true), oldTurn(4, false)));
  write(folders.ended, together(back, oldTurn(3, true), oldTurn(4, true)));
  return folders;
}

const desk = defineThread({
  name: "desk",
  reactor: scriptedReactor({ steps: [{ text: "You are welcome." }], repeatLast: true }),
});

/** Every catch-up up to one, and the turn of the new engine that follows the first. */
export async function catchUpTo(stage: Stage, folders: Folders, store: ThreadStore): Promise<void> {
  for (const one of stages.slice(0, stages.indexOf(stage) + 1)) {
    await takeIn(folders[one], store);
    if (one !== "whole") continue;
    const engine = createEngine({ store, threads: [desk], clock });
    await (
      await engine.react(desk, { id: "new", text: "Thank you." }, { address: { key } })
    ).result;
    await engine.close();
  }
}

/** The catch-up itself, as a process does it before a turn. */
export async function takeIn(folder: string, store: ThreadStore): Promise<boolean> {
  const locks = storeLocks(store, { ttlMs: LEASE_TTL_MS });
  try {
    const { changed } = await catchUp({
      store,
      locks,
      legacy: jsonLinesReader(folder),
      toBundle: storyBundle,
      address: { key },
      clock,
      state: (current, old) => ({ ...(current as JsonObject), ...(old as JsonObject), merged: true }),
    });
    return changed;
  } finally {
    await locks.close();
  }
}
