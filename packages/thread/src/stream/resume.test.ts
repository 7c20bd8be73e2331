import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, describe, test } from "vitest";
import { redisLocks } from "@hebra/lock/redis";
import { createEngine } from "../engine/engine.ts";
import type { Engine } from "../engine/api.ts";
import { cursorOf } from "./cursor.ts";
import { isDurable, type ThreadEvent } from "./envelope.ts";
import { pacedThread, WORDS } from "./paced.fixture.ts";
import { backends, newSpace, type Backend } from "./tails.fixture.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

const names = Object.keys(backends(newSpace()));
const redisUrl = process.env["REDIS_URL"];
const address = { key: "k" };

/** An engine with connections of its own: another process, as far as streams go. */
async function process_(backend: Backend, over: Partial<Parameters<typeof createEngine>[0]> = {}): Promise<Engine> {
  const store = await backend.store();
  const tail = await backend.tail();
  const engine = createEngine({ store, tail, threads: [], recoverEveryMs: false, ...over });
  open.push(async () => {
    await engine.close();
    await tail.close();
    await store.close();
  });
  return engine;
}

/** Reads a turn to its end and leaves after every event, to come back with its cursor. */
async function readInPieces(engine: Engine, executionId: string, seen: (event: ThreadEvent) => void = () => {}) {
  const events: ThreadEvent[] = [];
  for (let after: string | undefined; ; after = cursorOf(events.at(-1)!)) {
    assert.ok(events.length < 300, "it reads the same again");
    const turn = await engine.follow(executionId);
    for await (const event of turn.events(after === undefined ? {} : { after })) {
      events.push(event);
      seen(event);
      break;
    }
    if (events.at(-1)?.type === "execution-ended") return events;
  }
}

const nameOf = (event: ThreadEvent) =>
  `${event.type} ${isDurable(event) ? event.seq : `${event.stepId} ${event.run}.${event.index}`}`;

/** The words that a reader shows in the end. */
function wordsOf(events: readonly ThreadEvent[]): string {
  const done: string[] = [];
  let growing = new Map<number, string>();
  let kinds = new Map<number, string>();
  for (const event of events) {
    if (event.type === "step-reset") growing = new Map();
    if (event.type === "part-started") kinds.set(event.partIndex, event.data.kind);
    if (event.type === "part-delta" && kinds.get(event.partIndex) === "text")
      growing.set(event.partIndex, (growing.get(event.partIndex) ?? "") + event.data.delta);
    if (event.type !== "part-created") continue;
    const { kind, text } = event.data.part as { kind: string; text?: string };
    if (kind !== "text") continue;
    // A part that came live is the same as the one that is kept.
    if (growing.has(event.data.index)) assert.equal(growing.get(event.data.index), text);
    done.push(text!);
    growing.delete(event.data.index);
    kinds = new Map(kinds);
  }
  return done.join("");
}

describe.each(names)("over the %s tail", (name) => {
  test("a reader elsewhere that leaves at every event gets every delta once and in order, while the model speaks and afterwards [BU-13]", async () => {
    const backend = backends(newSpace())[name]!;
    const waiting: (() => void)[] = [];
    // The model is at most a few events ahead of the reader.
    let allowed = 3;
    const go = () => (waiting.length > 0 ? waiting.shift()!() : void allowed++);
    const definition = pacedThread(() =>
      allowed > 0 ? Promise.resolve(void allowed--) : new Promise((done) => waiting.push(done)),
    );
    const producer = await process_(backend, { threads: [definition] });
    const reader = await process_(backend);
    const turn = await producer.react(definition, { id: "m-1", text: "Where is A-7?" }, { address });
    const here: ThreadEvent[] = [];
    const reading = (async () => {
      // The making of the conversation comes before the turn.
      for await (const event of turn.stream) if (event.type !== "context-created") here.push(event);
    })();
    const live = await readInPieces(reader, turn.executionId, go);
    await reading;
    assert.deepEqual(live.map(nameOf), here.map(nameOf));
    assert.ok(live.filter(({ type }) => type === "part-delta").length === 11);
    assert.equal(wordsOf(live), WORDS);
    const afterwards = await readInPieces(reader, turn.executionId);
    assert.deepEqual(afterwards.map(nameOf), here.map(nameOf));
  });

  test("a reader without a tail's records gets whole parts and the end", async () => {
    const space = newSpace();
    const backend = backends(space)[name]!;
    const definition = pacedThread(async () => {});
    const producer = await process_(backend, { threads: [definition] });
    const turn = await producer.react(definition, { id: "m-1", text: "Where is A-7?" }, { address });
    await turn.result;
    // Another space has nothing of it.
    const lost = backends(newSpace())[name]!;
    const other = await lost.store();
    open.push(() => other.close());
    const reader = await process_({ store: backend.store, tail: lost.tail });
    const events = await readInPieces(reader, turn.executionId);
    assert.ok(events.every(isDurable));
    assert.equal(wordsOf(events), WORDS);
  });
});

describe.skipIf(redisUrl === undefined).each(names.filter((name) => name !== "memory"))(
  "over the %s tail, with a producer that is killed",
  (name) => {
    const program = fileURLToPath(new URL("producer.program.fixture.ts", import.meta.url));
    const root = fileURLToPath(new URL("../../../../", import.meta.url));

    test(
      "its reader sees each of its words once, one reset, then all of the next process's, and the end [EN-10]",
      { timeout: 60_000 },
      async () => {
        const space = newSpace();
        const backend = backends(space)[name]!;
        const spare = await backend.store();
        const child = spawn(
          process.execPath,
          [
            "--conditions=@hebra/source",
            "--import",
            "tsx",
            program,
            JSON.stringify({ name, space, dieAt: 7, redisUrl }),
          ],
          { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
        );
        open.push(
          async () => void child.kill("SIGKILL"),
          () => spare.close(),
        );
        const [line] = (await once(child.stdout, "data")) as [Buffer];
        const executionId = String(line).trim();
        const definition = pacedThread(async () => {});
        const locks = redisLocks({ url: redisUrl!, namespace: `${space}:lock` });
        open.push(() => locks.close());
        const reader = await process_(backend, {
          threads: [definition],
          locks,
          leaseTtlMs: 1_000,
          recoverEveryMs: 300,
        });
        const events = await readInPieces(reader, executionId);
        assert.equal(events.at(-1)?.type, "execution-ended");
        assert.equal(events.filter(({ type }) => type === "step-reset").length, 1);
        assert.equal(
          new Set(events.filter((event) => event.type !== "step-reset").map(nameOf)).size,
          events.length - 1,
        );
        const at = events.findIndex(({ type }) => type === "step-reset");
        const deltas = (part: readonly ThreadEvent[]) =>
          part.flatMap((event) => (event.type === "part-delta" ? [event.data.delta] : [])).join("");
        assert.ok(
          "Let me see.I look it up.".startsWith(deltas(events.slice(0, at))) && deltas(events.slice(0, at)) !== "",
        );
        assert.equal(deltas(events.slice(at)), `Let me see.${WORDS}`);
        assert.equal(wordsOf(events), WORDS);
      },
    );
  },
);
