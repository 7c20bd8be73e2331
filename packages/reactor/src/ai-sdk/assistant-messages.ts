import type { JsonValue } from "@hebra/core";
import type { ActionPart, ModelOutputPart, TranscriptPart } from "../transcript.ts";
import { fileNote, toFile } from "./files.ts";
import { providerRun, toOptions } from "./metadata.ts";
import type { PromptOptions } from "./prompt-options.ts";
import type { PromptContent, PromptMessage, ToolResult } from "./specification.ts";
import { dataWords, unknownPart } from "./words.ts";

type Content = PromptContent<"assistant">;

/** An assistant's message, step by step: what it said and called, then what came of its calls. */
export async function assistantMessages(
  parts: readonly TranscriptPart[],
  options: PromptOptions,
  promptId: (callId: string) => string,
): Promise<PromptMessage[]> {
  const messages: PromptMessage[] = [];
  for (const step of steps(parts)) {
    const content: Content = [];
    const results: PromptContent<"tool"> = [];
    for (const part of step) {
      if (part.kind === "action") await pushCall(part, content, results, options, promptId);
      else await pushContent(part, content, options);
    }
    if (content.length > 0) messages.push({ role: "assistant", content });
    if (results.length > 0) messages.push({ role: "tool", content: results });
  }
  return messages;
}

/** Neighbouring parts of one step belong to one answer of the model. */
function steps(parts: readonly TranscriptPart[]): TranscriptPart[][] {
  const groups: TranscriptPart[][] = [];
  let current: number | undefined;
  for (const part of parts) {
    const step = part.step ?? 0;
    if (step !== current) groups.push([]);
    current = step;
    groups.at(-1)!.push(part);
  }
  return groups;
}

async function pushContent(
  part: Exclude<TranscriptPart, ActionPart>,
  content: Content,
  options: PromptOptions,
): Promise<void> {
  switch (part.kind) {
    case "text":
    case "reasoning":
      // An empty part matters when it carries metadata: providers keep hidden reasoning there.
      if (part.text !== "" || toOptions(part.providerMetadata).providerOptions !== undefined)
        content.push({ type: part.kind, text: part.text, ...toOptions(part.providerMetadata) });
      return;
    case "file":
      content.push((await toFile(part, options.readFile)) ?? { type: "text", text: fileNote(part) });
      return;
    case "data": {
      const text = dataWords(part, "assistant", options);
      if (text !== "") content.push({ type: "text", text });
      return;
    }
    case "source":
      return;
    default:
      throw unknownPart(part);
  }
}

async function pushCall(
  part: ActionPart,
  content: Content,
  results: PromptContent<"tool">,
  options: PromptOptions,
  promptId: (callId: string) => string,
): Promise<void> {
  const run = providerRun(part.providerMetadata);
  const byProvider = run !== undefined && run.provider === options.provider;
  const toolCallId = promptId(part.callId);
  const shared = { toolCallId, toolName: part.name };
  const result: ToolResult = { type: "tool-result", ...shared, output: await outputOf(part, options) };
  content.push({
    type: "tool-call",
    ...shared,
    input: callInput(part.input),
    ...(byProvider ? { providerExecuted: true } : {}),
    ...toOptions(part.providerMetadata),
  });
  if (byProvider) content.push({ ...result, ...toOptions(part.resultMetadata) });
  else results.push(result);
}

/** Providers take nothing but an object back; of malformed input the error that follows tells the model. */
function callInput(input: JsonValue): JsonValue {
  return typeof input === "object" && input !== null && !Array.isArray(input) ? input : {};
}

async function outputOf(part: ActionPart, options: PromptOptions): Promise<ToolResult["output"]> {
  if (part.status === "failed")
    return { type: "error-text", value: part.error?.trim() ? part.error : "The action failed." };
  if (part.modelOutput !== undefined && part.modelOutput.length > 0)
    return { type: "content", value: await Promise.all(part.modelOutput.map((piece) => pieceOf(piece, options))) };
  if (typeof part.output === "string") return { type: "text", value: part.output };
  return { type: "json", value: part.output ?? null };
}

type Piece = Extract<ToolResult["output"], { type: "content" }>["value"][number];

/** Providers take the bytes of a file from a result, and no links. */
async function pieceOf(piece: ModelOutputPart, { readFile }: PromptOptions): Promise<Piece> {
  if (piece.type === "text") return piece;
  const { type: _, ...file } = piece;
  const read = await toFile({ kind: "file", ...file }, readFile);
  if (read === undefined || read.data instanceof URL) return { type: "text", text: fileNote(file) };
  const data = typeof read.data === "string" ? read.data : Buffer.from(read.data).toString("base64");
  if (file.mediaType.startsWith("image/")) return { type: "image-data", data, mediaType: file.mediaType };
  const { filename } = file;
  return { type: "file-data", data, mediaType: file.mediaType, ...(filename === undefined ? {} : { filename }) };
}
