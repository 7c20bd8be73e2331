import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createManualClock } from "@hebra/core";
import { localLocks } from "@hebra/lock";
import { scriptedReactor } from "@hebra/reactor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineThread } from "../definition/define-thread.ts";
import { createEngine } from "../engine/engine.ts";
import { sqliteStore } from "../store/sqlite.ts";
import type { ThreadStore } from "../store/store.ts";
import { faultyStore, type StoreFault } from "../testing/faulty-store.ts";
import { verifyGraph } from "../store/contract/verify-graph.ts";
import { catchUp } from "./catch-up.ts";
import { handover } from "./handover.ts";
import { answerTo, openOldEngine, question, type OldEngine } from "./old-engine.fixture.ts";
import type { MappedGroup } from "./read-through/legacy-store.ts";
import type { LegacyGroup } from "./read-through/reader.ts";
import { migrationMapping } from "./read-through/to-bundle.fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-switching-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let toBundle: (group: LegacyGroup) => MappedGroup;
beforeAll(async () => {
  toBundle = await migrationMapping();
});

const key = "customer-7";
const asked = (parts: readonly object[]) => parts.map((part) => ("text" in part ? String(part.text) : "?")).join("");
const definition = defineThread({
  name: "desk",
  reactor: scriptedReactor({
    steps: ({ transcript }) => [
      { text: asked(transcript.findLast(({ role }) => role === "user")!.parts).replace("Question", "Answer") },
    ],
    repeatLast: true,
  }),
});

/** What happens: an engine serves some turns, after the conversation came to it. */
interface Round {
  on: "old" | "new";
  turns: number;
  /**
   * The old engine's process ends in the middle of the last turn, which ends only after the conversation has gone over.
   */
  late: boolean;
  /** How the first attempt at the switch ends. */
  fault: "none" | "before" | "after" | "twice";
}

const rounds = fc.array(
  fc.record({
    on: fc.constantFrom("old" as const, "new" as const),
    turns: fc.integer({ min: 0, max: 3 }),
    late: fc.boolean(),
    fault: fc.constantFrom("none" as const, "before" as const, "after" as const, "twice" as const),
  }),
  { minLength: 2, maxLength: 8 },
);

/** Both engines, as processes that begin anew at each switch. */
async function world(path: string) {
  const clock = createManualClock(1_770_000_000_000);
  let last = clock.now();
  const old: OldEngine = await openOldEngine(`${path}-old.db`, () => (last = Math.max(last + 1, clock.now())));
  let store: ThreadStore = await sqliteStore({ path: `${path}.db`, synchronous: "NORMAL" });
  let locks = localLocks({ clock });
  let engine = createEngine({ store, threads: [definition], locks, clock });
  return {
    clock,
    old,
    store: () => store,
    engine: () => engine,
    async restart() {
      await engine.close();
      await store.close();
      store = await sqliteStore({ path: `${path}.db`, synchronous: "NORMAL" });
      locks = localLocks({ clock });
      engine = createEngine({ store, threads: [definition], locks, clock });
    },
    catchUp: (over: ThreadStore = store) =>
      catchUp({ store: over, locks, legacy: old.reader, toBundle, address: { key }, clock }),
    async close() {
      await engine.close();
      await store.close();
      old.close();
    },
  };
}

type World = Awaited<ReturnType<typeof world>>;

/** The conversation comes to the new engine. A fault ends the first attempt; whoever comes next begins anew. */
async function toNew({ catchUp: take, store, restart }: World, fault: Round["fault"]): Promise<void> {
  if (fault === "before" || fault === "after") {
    const faults: StoreFault[] = (["commit", "import"] as const).map((verb) => ({ verb, at: 1, mode: fault }));
    await take(faultyStore(store(), faults)).catch((error: unknown) =>
      expect(error).toMatchObject({ code: "STORE_FAILED" }),
    );
    await restart();
  }
  await take();
  if (fault === "twice") expect(await take()).toEqual({ changed: false });
}

async function toOld({ store, old }: World, fault: Round["fault"]): Promise<void> {
  const rows = await handover(store(), { key });
  if (fault === "before") expect(() => old.accept(key, rows, 1)).toThrow();
  if (fault === "after") expect(() => old.accept(key, rows, rows.context_events.length + 1)).toThrow();
  old.accept(key, await handover(store(), { key }));
  if (fault === "twice") {
    const before = old.rows();
    old.accept(key, await handover(store(), { key }));
    expect(old.rows()).toEqual(before);
  }
}

async function newTexts(store: ThreadStore): Promise<string[]> {
  const found = await store.load("default", { key });
  if (found === undefined) return [];
  return (await store.history("default", found.context.id, { items: 10_000 })).map(({ item, parts }) =>
    asked(parts.length > 0 ? parts.map(({ content }) => content) : item.content),
  );
}

describe("a conversation that goes from one engine to the other and back", () => {
  it("has one whole history on both sides, each turn once and in order, whatever is cut off", async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(rounds, async (plan) => {
        const at = await world(join(directory, String(++runs)));
        /** Every turn of either engine, in order. */
        const turns: { id: string; by: Round["on"] }[] = [];
        let unfinished: string | undefined;
        let on: Round["on"] | undefined;
        const expected = (): string[] =>
          turns.flatMap(({ id }) => [question(id), id === unfinished ? "" : answerTo(id)]);
        const finish = () => {
          if (unfinished !== undefined) at.old.finish(unfinished);
          unfinished = undefined;
        };
        try {
          for (const round of plan) {
            if (on !== undefined && on !== round.on)
              await (round.on === "new" ? toNew(at, round.fault) : toOld(at, round.fault));
            on = round.on;
            if (on === "old") finish();
            for (let i = 0; i < round.turns; i++) {
              await at.clock.advance(1_000);
              const id = `t${turns.length}`;
              turns.push({ id, by: on });
              if (on === "old") {
                const leave = round.late && i === round.turns - 1;
                at.old.answer(key, id, { leave });
                if (leave) unfinished = id;
              } else {
                const turn = await at.engine().react(definition, { id, text: question(id) }, { address: { key } });
                expect((await turn.result).status).toBe("completed");
              }
            }
            if (on === "new") expect(await newTexts(at.store())).toEqual(expected());
          }
          finish();
          await toOld(at, "twice");
          await at.restart();
          await toNew(at, "twice");
          expect(await newTexts(at.store())).toEqual(expected());
          const found = await at.store().load("default", { key });
          if (found === undefined) return;
          expect(at.old.texts(found.context.id)).toEqual(expected());
          const bundle = (await at.store().export("default", found.context.id))!;
          expect(verifyGraph(bundle, { settled: true })).toEqual([]);
          expect(bundle.executions.map(({ status, outcome }) => `${status} ${outcome}`)).toEqual(
            turns.map(() => "completed stop"),
          );
          // What either engine has answered is known: delivered again, nothing runs.
          for (const { id, by } of turns) {
            const again = await at
              .engine()
              .react(definition, { id: by === "old" ? `${id}-in` : id, text: question(id) }, { address: { key } });
            expect([id, again.duplicate]).toEqual([id, true]);
          }
        } finally {
          await at.close();
        }
      }),
      { numRuns: 40, seed: 20_261_128 },
    );
  }, 300_000);
});
