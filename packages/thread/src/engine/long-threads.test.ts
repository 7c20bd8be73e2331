import { describe, expect, it } from "vitest";
import { scriptedReactor } from "@hebra/reactor";
import { defineThread } from "../definition/define-thread.ts";
import { action, expectSettled, scripted, setUp } from "./engine.fixture.ts";
import { replay } from "./replay.ts";

const words = (parts: readonly object[]) => parts.map((part) => ("text" in part ? String(part.text) : "?")).join("");

describe("a long thread", () => {
  it("is summed up as it grows: the model sees the newest summary and the newest items, and the items stay", async () => {
    const seen: string[][] = [];
    const pieces: { previous: string | undefined; items: number }[] = [];
    const definition = defineThread({
      name: "test",
      reactor: scriptedReactor({
        steps: [
          (input) => {
            seen.push(input.transcript.map(({ role, parts }) => `${role}: ${words(parts)}`));
            return { text: `re ${seen.length}` };
          },
        ],
        repeatLast: true,
      }),
      compaction: {
        everyItems: 6,
        summarize: ({ previous, transcript }) => {
          pieces.push({ previous, items: transcript.length });
          return `${previous ?? ""}[${transcript.length}]`;
        },
      },
    });
    const { engine, store, address } = setUp(definition, { historyItems: 4 });
    for (let i = 1; i <= 8; i++)
      await (
        await engine.react(definition, { id: `m${i}`, text: `t${i}` }, { address })
      ).result.then(() => engine.idle());
    expect(pieces).toEqual([
      { previous: undefined, items: 6 },
      { previous: "[6]", items: 6 },
    ]);
    expect(seen.at(-1)).toEqual([
      "system: [6][6]",
      "user: t6",
      "assistant: re 6",
      "user: t7",
      "assistant: re 7",
      "user: t8",
    ]);
    expect((await engine.history(address, { items: 100 })).filter(({ item }) => item.kind !== "summary")).toHaveLength(
      16,
    );
    await expectSettled(store);
  });

  it("goes on when summing up fails", async () => {
    const definition = scripted([{ text: "x" }], {
      compaction: { everyItems: 2, summarize: () => Promise.reject(new Error("no model")) },
    });
    const { engine, address } = setUp(definition);
    for (const id of ["a", "b"])
      expect((await (await engine.react(definition, { id, text: id }, { address })).result).status).toBe("completed");
    await engine.idle();
    expect(await engine.history(address)).toHaveLength(4);
  });

  it("keeps attachments by reference; the model gets what they stand for", async () => {
    const urls: string[] = [];
    const definition = scripted([
      (input) => {
        urls.push(
          ...input.transcript.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === "file" ? [part.url] : []))),
        );
        return { text: "A cat." };
      },
    ]);
    const { engine, address } = setUp(definition, {
      readFile: (url) => Promise.resolve(`data:image/png;base64,${url.length}`),
    });
    const turn = await engine.react(
      definition,
      {
        id: "a",
        parts: [
          { kind: "file", mediaType: "image/png", url: "blob:cat-7" },
          { kind: "file", mediaType: "image/png", url: "https://host.example/dog.png" },
        ],
      },
      { address },
    );
    await turn.result;
    expect(urls).toEqual(["data:image/png;base64,10", "https://host.example/dog.png"]);
    expect((await engine.history(address))[0]?.item.content[0]).toMatchObject({ url: "blob:cat-7" });
  });
});

describe("replay", () => {
  const make = (over: object = {}) =>
    scripted(
      [
        {
          reasoning: "Hm.",
          text: "Looking.",
          actions: [
            { name: "find", input: { n: 1 } },
            { name: "fail", input: {} },
            { name: "ghost", input: {} },
          ],
        },
        { text: "Done." },
      ],
      {
        actions: {
          find: action(({ n }) => ({ found: n, at: Math.random() })),
          fail: action(() => {
            throw new Error("broken");
          }),
        },
        ...over,
      },
    );

  it("of a recorded turn gives the same rows, runs no action, and touches nothing", async () => {
    let runs = 0;
    const definition = make({
      actions: {
        find: action(({ n }) => {
          runs++;
          return { found: n, at: Math.random() };
        }),
        fail: action(() => {
          throw new Error("broken");
        }),
      },
    });
    const { engine, store, address } = setUp(definition);
    await (
      await engine.react(definition, { id: "a", text: "first" }, { address })
    ).result;
    const turn = await engine.react(definition, { id: "b", text: "second" }, { address });
    await turn.result;
    const before = await store.export("default", turn.contextId);
    expect(await replay({ store, executionId: turn.executionId, definition })).toMatchObject({
      same: true,
      difference: undefined,
    });
    expect(runs).toBe(2);
    expect(await store.export("default", turn.contextId)).toEqual(before);
  });

  it("shows where a changed definition would have gone another way", async () => {
    const definition = make();
    const { engine, store, address } = setUp(definition);
    const turn = await engine.react(definition, { id: "a", text: "first" }, { address });
    await turn.result;
    const changed = make({ actions: { find: action(() => 1) } });
    expect(await replay({ store, executionId: turn.executionId, definition: changed })).toMatchObject({
      same: false,
      difference: { table: "parts" },
    });
  });

  it("says what it cannot play", async () => {
    const { store } = setUp(make());
    await expect(replay({ store, executionId: "none", definition: make() })).rejects.toMatchObject({
      code: "EXECUTION_NOT_FOUND",
    });
  });
});
