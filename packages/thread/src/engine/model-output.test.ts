import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";
import type { ActionPart, ModelOutputPart, ReactorInput } from "@hebra/reactor";
import { tool } from "ai";
import * as z from "zod";
import { defineAction } from "../definition/define-action.ts";
import type { ActionMap } from "../definition/define-thread.ts";
import type { EngineOptions } from "./api.ts";
import { fileBlobs } from "./blobs/file-blobs.ts";
import { scripted, setUp } from "./engine.fixture.ts";
import { replay } from "./replay.ts";

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const shownIn = ({ transcript }: ReactorInput) =>
  transcript
    .flatMap(({ parts }) => parts)
    .filter((part): part is ActionPart => part.kind === "action")
    .map(({ modelOutput, output }) => modelOutput ?? output);

/** Plays a turn that calls the action `shoot`, and one after it. */
async function play(shoot: ActionMap[string], over: Partial<EngineOptions> = {}) {
  const seen: unknown[] = [];
  const definition = scripted(
    [
      (input) =>
        shownIn(input).length === 0
          ? { actions: [{ name: "shoot", input: { page: "home" } }] }
          : (seen.push(shownIn(input)[0]), { text: "A dot." }),
      (input) => (seen.push(shownIn(input)[0]), { text: "A dot." }),
    ],
    { actions: { shoot } },
  );
  const { engine, store, address } = setUp(definition, over);
  const first = await engine.react(definition, { id: "1", text: "Shoot." }, { address });
  const { status, parts } = await first.result;
  await (
    await engine.react(definition, { id: "2", text: "Again?" }, { address })
  ).result;
  const { id } = await engine.context(address);
  const { difference } = await replay({ store, executionId: first.executionId, definition });
  assert.equal(difference, undefined);
  const rows = JSON.stringify(await store.export("default", id));
  await engine.close();
  return { status, seen, rows, kept: parts[0] as ActionPart };
}

const input = z.object({ page: z.string() });
const picture: ModelOutputPart = { type: "file", mediaType: "image/png", url: `data:image/png;base64,${PNG}` };

describe("toModelOutput", () => {
  test("of a tool() is honoured: the model is shown the picture, in the turn and after it [RE-6]", async () => {
    const shoot = tool({
      description: "Takes a picture.",
      inputSchema: input,
      execute: ({ page }) => ({ page, base64: PNG }),
      toModelOutput: ({ output, input: { page } }) => ({
        type: "content",
        value: [
          { type: "text", text: `The page ${page}:` },
          { type: "image-data", data: output.base64, mediaType: "image/png" },
        ],
      }),
    });
    const { seen, kept } = await play(shoot);
    assert.deepEqual(seen, [
      [{ type: "text", text: "The page home:" }, picture],
      [{ type: "text", text: "The page home:" }, picture],
    ]);
    assert.deepEqual(kept.output, { page: "home", base64: PNG });
  });

  for (const [form, made, shown] of [
    ["text", { type: "text", value: "Short." }, [{ type: "text", text: "Short." }]],
    ["json", { type: "json", value: { a: 1 } }, [{ type: "text", text: '{"a":1}' }]],
    ["error-text", { type: "error-text", value: "No." }, [{ type: "text", text: "No." }]],
    ["media", { type: "content", value: [{ type: "media", data: PNG, mediaType: "image/png" }] }, [picture]],
    [
      "file of the AI SDK 7",
      { type: "content", value: [{ type: "file", mediaType: "image/png", data: { type: "data", data: PNG } }] },
      [picture],
    ],
    [
      "file-url",
      {
        type: "content",
        value: [{ type: "file-url", url: "https://files.example/a.pdf", mediaType: "application/pdf" }],
      },
      [{ type: "file", mediaType: "application/pdf", url: "https://files.example/a.pdf" }],
    ],
    [
      "file-id",
      { type: "content", value: [{ type: "file-id", fileId: "file-1" }] },
      [{ type: "text", text: "[A file (application/octet-stream) that is known to the model's provider alone.]" }],
    ],
  ] as const)
    test(`of a tool() may return ${form} [RE-6]`, async () => {
      const shoot = { inputSchema: input, execute: () => 1, toModelOutput: () => made };
      assert.deepEqual((await play(shoot)).seen[0], shown);
    });

  test("of defineAction has the same, with references that readFile turns into what a model reads [RE-6]", async () => {
    const shoot = defineAction({
      description: "Takes a picture.",
      input,
      execute: ({ page }) => ({ id: `shot-${page}` }),
      toModelOutput: ({ id }, { page }) => [
        { type: "text", text: page },
        { type: "file", mediaType: "image/png", url: `blob:${id}` },
      ],
    });
    const { seen, kept } = await play(shoot, {
      readFile: (url) => Promise.resolve(url.replace("blob:", "https://files.example/")),
    });
    const expected = [
      { type: "text", text: "home" },
      { type: "file", mediaType: "image/png", url: "https://files.example/shot-home" },
    ];
    assert.deepEqual(seen, [expected, expected]);
    assert.equal((kept.modelOutput![1] as { url: string }).url, "blob:shot-home");
  });

  test("that throws leaves the call succeeded, and the model is shown the output [RE-6]", async () => {
    const shoot = defineAction({
      description: "Takes a picture.",
      input,
      execute: () => ({ done: true }),
      toModelOutput: () => {
        throw new Error("no camera");
      },
    });
    const { status, seen, kept } = await play(shoot);
    assert.deepEqual([status, kept.status, seen[0]], ["completed", "succeeded", { done: true }]);
  });

  test("of large pictures keeps them in the blob store, not in rows [RE-6]", async () => {
    const bytes = new Uint8Array(100_000).fill(7);
    const url = `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;
    const shoot = defineAction({
      description: "Takes a picture.",
      input,
      execute: () => ({ done: true }),
      toModelOutput: () => [{ type: "file", mediaType: "image/png", url }],
    });
    const blobs = fileBlobs({ directory: mkdtempSync(join(tmpdir(), "hebra-shots-")) });
    const { seen, rows } = await play(shoot, { blobs });
    const shown = [{ type: "file", mediaType: "image/png", url }];
    assert.deepEqual(seen, [shown, shown]);
    assert.ok(rows.length < 50_000, `${rows.length} characters of rows`);
  });

  test("shows what a person or a browser gave, as one that the tool returned [RE-6]", async () => {
    const shoot = {
      inputSchema: input,
      toModelOutput: ({ output }: { output: { base64: string } }) => ({
        type: "content",
        value: [{ type: "image-data", data: output.base64, mediaType: "image/png" }],
      }),
    };
    let seen: unknown;
    const definition = scripted(
      [
        { actions: [{ name: "shoot", input: { page: "home" } }] },
        (asked) => ((seen = shownIn(asked)[0]), { text: "A dot." }),
      ],
      { actions: { shoot } },
    );
    const { engine, address } = setUp(definition);
    const turn = await engine.react(definition, { id: "1", text: "Shoot." }, { address });
    const { approvals } = await turn.result;
    await engine.provideResult(approvals[0]!.callRowId, { base64: PNG });
    await (
      await engine.follow(turn.executionId)
    ).result;
    assert.deepEqual(seen, [picture]);
    await engine.close();
  });
});
