import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, test } from "vitest";
import { HebraError } from "@hebra/core";
import type { ActionPart, ReactorInput } from "@hebra/reactor";
import { sqliteStore } from "../store/sqlite.ts";
import { fileBlobs } from "./blobs/file-blobs.ts";
import { action, scripted, setUp } from "./engine.fixture.ts";
import { estimateFixed, estimateMessages } from "./prompt/estimate.ts";
import { replay } from "./replay.ts";

const soak = process.env["HEBRA_SOAK"] !== undefined;
const directory = mkdtempSync(join(tmpdir(), "hebra-prompt-"));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const MEGABYTE = 1_000_000;
const actionsOf = ({ transcript }: ReactorInput): ActionPart[] =>
  transcript.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === "action" ? [part] : [])));
const shownOf = (part: ActionPart | undefined): string => {
  const [piece] = part?.modelOutput ?? [];
  return piece?.type === "text" ? piece.text : JSON.stringify(part?.output);
};
const lengthOf = (input: ReactorInput) =>
  JSON.stringify(input.transcript.flatMap(({ parts }) => parts.map(shown))).length;
const shown = (part: ReactorInput["transcript"][number]["parts"][number]) =>
  part.kind === "action" ? { ...part, output: undefined, shown: shownOf(part) } : part;
const tokensOf = ({ instructions, actions, transcript }: ReactorInput) =>
  estimateFixed(instructions, actions) + estimateMessages(transcript);
const referenceIn = (text: string) => /"reference": "([\d.]+)"/.exec(text)?.[1];

/** A megabyte with a fact at its very end. */
const megabyte = `${"x ".repeat(MEGABYTE / 2)}The door code is 7421.`;

describe("a result over the cap", () => {
  test("is shown as its beginning and a reference, in every later turn, and read to its end with read_more [RE-9]", async () => {
    const seen: ReactorInput[] = [];
    const definition = scripted(
      [
        (input) => {
          const isFirst = input.transcript.length === 1;
          if (!isFirst) seen.push(input);
          return isFirst ? { actions: [{ name: "fetch", input: {} }] } : { text: "Yes." };
        },
        (input) => {
          seen.push(input);
          const last = actionsOf(input).at(-1);
          const next = /"offset": (\d+)\}/.exec(shownOf(last))?.[1];
          const reference = referenceIn(shownOf(last));
          if (reference === undefined || next === undefined) return { text: "done" };
          return { actions: [{ name: "read_more", input: { reference, offset: MEGABYTE - 1_000 } }] };
        },
      ],
      { actions: { fetch: action(() => megabyte) } },
    );
    const { engine, address } = setUp(definition);
    const first = await (await engine.react(definition, { id: "1", text: "Fetch." }, { address })).result;
    assert.equal(first.status, "completed");
    for (let i = 2; i <= 21; i++)
      await (
        await engine.react(definition, { id: `${i}`, text: "And?" }, { address })
      ).result;
    assert.ok(
      seen.every((input) => lengthOf(input) < 60_000),
      "the megabyte was sent",
    );
    assert.ok(seen.some((input) => actionsOf(input).some((part) => shownOf(part).includes("The door code is 7421."))));
    assert.ok(seen[0]!.actions.some(({ name }) => name === "read_more"));
    // Rows hold the result whole where there is no blob store.
    const history = await engine.history(address, { items: 100 });
    const kept = history
      .flatMap(({ parts }) => parts.map(({ content }) => content))
      .find(({ kind }) => kind === "action");
    assert.equal((kept as ActionPart).output, megabyte);
    await engine.close();
  });

  test("is kept in the blob store alone, read back from there, and deleted with its context [RE-9]", async () => {
    const blobs = fileBlobs({ directory });
    let read = "";
    const definition = scripted(
      [
        { actions: [{ name: "fetch", input: {} }] },
        (input) => ({
          actions: [
            {
              name: "read_more",
              input: { reference: referenceIn(shownOf(actionsOf(input)[0]))!, offset: megabyte.length - 500 },
            },
          ],
        }),
        (input) => {
          read = shownOf(actionsOf(input)[1]);
          return { text: "done" };
        },
      ],
      { actions: { fetch: action(() => ({ text: megabyte })) } },
    );
    const { engine, store, address } = setUp(definition, { blobs });
    const turn = await engine.react(definition, { id: "1", text: "Fetch." }, { address });
    const { parts } = await turn.result;
    const { id: contextId } = await engine.context(address);
    assert.match(read, /The door code is 7421\./);
    assert.equal((parts[0] as ActionPart & { output: { characters: number } }).output.characters, megabyte.length + 11);
    assert.ok(JSON.stringify(await store.export("default", contextId)).length < 200_000, "a row holds the megabyte");
    assert.equal((await replay({ store, executionId: turn.executionId, definition })).difference, undefined);
    await blobs.deleteContext("default", contextId);
    assert.deepEqual(readdirSync(join(directory, "default")), []);
    await engine.close();
  });

  test("stays in its row while the blob store fails [RE-9]", async () => {
    const definition = scripted([{ actions: [{ name: "fetch", input: {} }] }, { text: "done" }], {
      actions: { fetch: action(() => megabyte) },
    });
    const blobs = { ...fileBlobs({ directory }), put: () => Promise.reject(new Error("the bucket is gone")) };
    const { engine, address } = setUp(definition, { blobs });
    const result = await (await engine.react(definition, { id: "1", text: "Fetch." }, { address })).result;
    assert.deepEqual([result.status, (result.parts[0] as ActionPart).output], ["completed", megabyte]);
    await engine.close();
  });

  test("of another conversation cannot be read by its reference [RE-9]", async () => {
    const told: string[] = [];
    const definition = scripted(
      [
        (input) =>
          actionsOf(input).length === 0
            ? { actions: [{ name: "read_more", input: { reference: "2.0" } }] }
            : (told.push(actionsOf(input)[0]!.error ?? shownOf(actionsOf(input)[0])), { text: "done" }),
      ],
      { prompt: { maxTokens: 10_000 } },
    );
    const { engine } = setUp(definition);
    await (
      await engine.react(definition, { id: "1", text: "secret" }, { address: { key: "a" } })
    ).result;
    await (
      await engine.react(definition, { id: "1", text: "hello" }, { address: { key: "b" } })
    ).result;
    assert.equal(told.length, 2);
    assert.match(told[0]!, /secret/);
    assert.doesNotMatch(told[1]!, /secret/);
    await engine.close();
  });
});

/** A conversation in which every turn looks something up: a result of 20 KB, the fact of its number at its end. */
function lookUps(over: Parameters<typeof scripted>[1] & {} = {}, ask?: (input: ReactorInput) => object | undefined) {
  const prompts: number[] = [];
  const definition = scripted(
    [
      (input) => {
        prompts.push(tokensOf(input));
        const special = ask?.(input);
        if (special !== undefined) return special;
        const mine = input.transcript.at(-1)!;
        return mine.role === "assistant"
          ? { text: "Looked up." }
          : { actions: [{ name: "look", input: { n: prompts.length } }] };
      },
    ],
    {
      instructions: "You look things up.",
      actions: {
        look: action(
          ({ n }) => `Entry ${String(n)}. ${"Lorem ipsum dolor sit amet. ".repeat(720)} The code is ${Number(n) * 7}.`,
          {
            effect: "read",
          },
        ),
      },
      ...over,
    },
  );
  return { definition, prompts };
}

const TURNS = soak ? 1_000 : 60;

test(
  `${TURNS} turns with results of 20 KB stay inside a budget of 32k tokens, in flat memory, and the oldest fact is read by its reference [RE-9]`,
  { timeout: 300_000 },
  async () => {
    let answer = "";
    const { definition, prompts } = lookUps({ prompt: { maxTokens: 32_000 } }, (input) => {
      const last = input.transcript.at(-1)!;
      const calls = last.parts.filter((part) => part.kind === "action");
      const asked = input.transcript.findLast(({ role }) => role === "user")?.parts[0];
      if (asked?.kind !== "text" || asked.text !== "What was the first code?") return undefined;
      if (calls.length === 0) return { actions: [{ name: "read_more", input: {} }] };
      if (calls.length === 1) {
        const { earlier } = calls[0]!.output as { earlier: { reference: string; action?: string }[] };
        const { reference } = earlier.find((one) => one.action === "look")!;
        return { actions: [{ name: "read_more", input: { reference, offset: 20_000 } }] };
      }
      answer = shownOf(calls[1]);
      return { text: "There." };
    });
    const store = await sqliteStore({
      path: join(mkdtempSync(join(tmpdir(), "hebra-long-")), "threads.db"),
      synchronous: "NORMAL",
    });
    const { engine, address } = setUp(definition, { store });
    const heap: number[] = [];
    for (let i = 1; i <= TURNS; i++) {
      const { status } = await (await engine.react(definition, { id: `${i}`, text: `Look ${i}.` }, { address })).result;
      assert.equal(status, "completed");
      if (i % (TURNS / 4) === 0) heap.push(usedHeap());
    }
    await (
      await engine.react(definition, { id: "last", text: "What was the first code?" }, { address })
    ).result;
    assert.match(answer, /The code is 7\./);
    assert.ok(Math.max(...prompts) <= 32_000, `a prompt of ${Math.max(...prompts)} tokens`);
    assert.ok(Math.max(...prompts) > 20_000, "the budget is not used");
    assert.ok(heap.at(-1)! - heap[0]! < 8_000_000, `heap after each quarter: ${heap.join(", ")}`);
    await engine.close();
    await store.close();
  },
);

function usedHeap(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

test("turns that are left out of a prompt are summed up where the definition does that [RE-9]", async () => {
  const seen: string[] = [];
  const { definition } = lookUps(
    {
      prompt: { maxTokens: 3_000 },
      compaction: {
        everyItems: 1_000,
        summarize: ({ previous, transcript }) =>
          `${previous ?? ""}[${transcript.map(({ id }) => id.slice(0, 4)).length}]`,
      },
    },
    (input) => {
      const first = input.transcript[0]!;
      if (first.role === "system") seen.push((first.parts[0] as { text: string }).text);
      return undefined;
    },
  );
  const { engine, address } = setUp(definition);
  for (let i = 1; i <= 30; i++)
    await (
      await engine.react(definition, { id: `${i}`, text: `Look ${i}.` }, { address })
    ).result.then(() => engine.idle());
  assert.ok(seen.some((text) => /^(\[\d+\])+$/.test(text)));
  await engine.close();
});

test("a prompt that cannot be made to fit fails its turn with PROMPT_TOO_LONG, and the next turn runs [RE-9]", async () => {
  const { definition } = lookUps({
    prompt: { maxTokens: 3_000 },
    instructions: ({ state }) => (state as { long?: string }).long ?? "",
  });
  const { engine, address } = setUp(definition);
  const pasted = {
    id: "1",
    parts: Array.from({ length: 400 }, () => ({ kind: "text" as const, text: "word ".repeat(60) })),
  };
  const failed = await (await engine.react(definition, pasted, { address })).result;
  assert.deepEqual([failed.status, failed.error?.code], ["failed", "PROMPT_TOO_LONG"]);
  const next = await (await engine.react(definition, { id: "2", text: "Look." }, { address })).result;
  assert.equal(next.status, "completed");
  await engine.close();
});

test("the model's own count decides where one is given [RE-9]", async () => {
  let counts = 0;
  const { definition, prompts } = lookUps({
    prompt: {
      maxTokens: 32_000,
      countTokens: ({ instructions, actions, transcript }) => {
        counts++;
        return 3 * (estimateFixed(instructions, actions) + estimateMessages(transcript));
      },
    },
  });
  const { engine, address } = setUp(definition);
  for (let i = 1; i <= 12; i++)
    await (
      await engine.react(definition, { id: `${i}`, text: `Look ${i}.` }, { address })
    ).result;
  assert.ok(counts >= prompts.length);
  assert.ok(Math.max(...prompts) * 3 <= 32_000, `${Math.max(...prompts)}`);
  await engine.close();
});

describe("a prompt that the provider refuses as too long", () => {
  const refusing = (details: Record<string, number>, times: number) => {
    const sizes: number[] = [];
    const { definition } = lookUps({}, (input) => {
      if (!JSON.stringify(input.transcript.at(-1)).includes("too much")) return undefined;
      sizes.push(tokensOf(input));
      if (sizes.length <= times) return { error: new HebraError("PROMPT_TOO_LONG", "prompt is too long", { details }) };
      return { text: "Fits." };
    });
    return { definition, sizes };
  };
  const play = async (definition: ReturnType<typeof scripted>) => {
    const { engine, address } = setUp(definition);
    for (let i = 1; i <= 8; i++)
      await (
        await engine.react(definition, { id: `${i}`, text: `Look ${i}.` }, { address })
      ).result;
    const result = await (await engine.react(definition, { id: "last", text: "too much" }, { address })).result;
    await engine.close();
    return result;
  };

  test("is shortened to half and sent once more in the same turn [RE-9]", async () => {
    const { definition, sizes } = refusing({}, 1);
    assert.equal((await play(definition)).text, "Fits.");
    assert.equal(sizes.length, 2);
    assert.ok(sizes[1]! <= sizes[0]! / 2, sizes.join(", "));
  });

  test("is shortened to what the provider says that it takes [RE-9]", async () => {
    const { definition, sizes } = refusing({ promptTokens: 40_000, maxTokens: 30_000 }, 1);
    assert.equal((await play(definition)).text, "Fits.");
    assert.ok(sizes[1]! <= sizes[0]! * 0.75 && sizes[1]! > sizes[0]! * 0.4, sizes.join(", "));
  });

  test("ends the turn when it is refused again [RE-9]", async () => {
    const { definition, sizes } = refusing({}, 9);
    const { status, error } = await play(definition);
    assert.deepEqual([status, error?.code, sizes.length], ["failed", "PROMPT_TOO_LONG", 2]);
  });
});
