import assert from "node:assert/strict";
import { test } from "vitest";
import type { ActionPart, TranscriptMessage } from "../transcript.ts";
import { toModelMessages } from "./messages.ts";
import type { PromptOptions } from "./prompt-options.ts";

const call = { kind: "action", callId: "c", name: "draw", input: {} } as const;
const transcript = (part: ActionPart): TranscriptMessage[] => [
  { id: "u", role: "user", parts: [{ kind: "text", text: "Draw." }] },
  { id: "a", role: "assistant", parts: [part] },
];
const resultOf = async (part: ActionPart, options: PromptOptions = {}) => {
  const message = (await toModelMessages(transcript(part), options)).find(({ role }) => role === "tool");
  const [result] = message?.role === "tool" ? message.content : [];
  return result?.type === "tool-result" ? result.output : undefined;
};

test("a picture that an action returns is shown as a picture, and a file as a file [RE-6]", async () => {
  const part: ActionPart = {
    ...call,
    status: "succeeded",
    output: { stored: "blob:1" },
    modelOutput: [
      { type: "text", text: "The chart." },
      { type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA" },
      { type: "file", mediaType: "application/pdf", url: "blob:2", filename: "a.pdf" },
      { type: "file", mediaType: "image/png", url: "https://example.org/a.png" },
    ],
  };
  const readFile: PromptOptions["readFile"] = ({ url }) =>
    url === "blob:2" ? Buffer.from("pdf") : url.startsWith("data:") ? Buffer.from("AAAA", "base64") : undefined;
  assert.deepEqual(await resultOf(part, { readFile }), {
    type: "content",
    value: [
      { type: "text", text: "The chart." },
      { type: "image-data", data: "AAAA", mediaType: "image/png" },
      { type: "file-data", data: "cGRm", mediaType: "application/pdf", filename: "a.pdf" },
      { type: "text", text: '[The file "without a name" (image/png) cannot be shown.]' },
    ],
  });
  // A link is never left to somebody else to fetch.
  const linked: ActionPart = { ...part, modelOutput: [part.modelOutput![3]!] };
  assert.deepEqual((await resultOf(linked))?.type, "content");
  assert.doesNotMatch(JSON.stringify(await resultOf(linked)), /example\.org/);
});

test("a call without content for the model, or that failed, is shown as before [RE-6]", async () => {
  assert.deepEqual(await resultOf({ ...call, status: "succeeded", output: { a: 1 } }), {
    type: "json",
    value: { a: 1 },
  });
  const failed: ActionPart = { ...call, status: "failed", error: "No.", modelOutput: [{ type: "text", text: "x" }] };
  assert.deepEqual(await resultOf(failed), { type: "error-text", value: "No." });
});
