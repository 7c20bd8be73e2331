import { genAiContent, type JsonObject, type JsonValue, type Redactor, type TelemetryAttributes } from "@hebra/core";
import type { ReactorInput, TranscriptMessage, TranscriptPart } from "@hebra/reactor";
import type { Answer, AnswerPart } from "../engine/turn/answer.ts";

/** Writes what was said as attributes, in the form of the GenAI conventions, without its secrets. */
export interface ContentWriter {
  question(input: ReactorInput): TelemetryAttributes;
  answer(answer: Answer): TelemetryAttributes;
  callInput(input: JsonValue): TelemetryAttributes;
  callOutput(output: JsonValue): TelemetryAttributes;
  /** The words of an error. */
  words(message: string): string;
}

/** UTF-16 units kept of each text. */
const MAX_TEXT = 8_192;
/** UTF-16 units of messages in one attribute; beyond, the oldest messages are left out. */
const MAX_MESSAGES = 65_536;

/** @param redactor - through which everything goes. */
export function createContentWriter({ redact, redactText }: Redactor): ContentWriter {
  // Scrubbed whole, then cut: a secret at the cut would lose the shape that it is known by.
  const words = (text: string) => redactText(text).slice(0, MAX_TEXT);
  const json = (value: JsonValue | undefined) => JSON.stringify(redact(value ?? null)).slice(0, MAX_TEXT);

  const partOf = (part: Exclude<TranscriptPart, { kind: "action" }>): JsonObject => {
    switch (part.kind) {
      case "text":
      case "reasoning":
        return { type: part.kind, content: words(part.text) };
      case "file":
        return {
          type: "uri",
          mime_type: part.mediaType,
          modality: part.mediaType.split("/")[0]!,
          uri: part.url.startsWith("data:") ? `data:${part.mediaType}` : words(part.url),
        };
      case "source":
        return {
          type: "source",
          ...(part.url === undefined ? {} : { url: words(part.url) }),
          ...(part.title === undefined ? {} : { title: words(part.title) }),
        };
      case "data":
        return { type: "data", name: part.name, data: redact(part.data) };
    }
  };
  const callOf = ({ callId, name, input }: { callId: string; name: string; input: JsonValue }): JsonObject => ({
    type: "tool_call",
    id: callId,
    name,
    arguments: redact(input),
  });
  const responseOf = ({
    callId,
    output,
    error,
  }: {
    callId: string;
    output?: JsonValue;
    error?: string;
  }): JsonObject => ({
    type: "tool_call_response",
    id: callId,
    response: error === undefined ? redact(output ?? null) : words(error),
  });

  /** A message, and what came of the calls in it. */
  const messagesOf = ({ role, parts }: TranscriptMessage): JsonObject[] => {
    const responses = parts.flatMap((part) => (part.kind === "action" ? [responseOf(part)] : []));
    const message = { role, parts: parts.map((part) => (part.kind === "action" ? callOf(part) : partOf(part))) };
    return responses.length === 0 ? [message] : [message, { role: "tool", parts: responses }];
  };

  return {
    words,
    question: ({ instructions, transcript }) => ({
      ...(instructions === undefined
        ? {}
        : { [genAiContent.systemInstructions]: JSON.stringify([{ type: "text", content: words(instructions) }]) }),
      [genAiContent.inputMessages]: newest(transcript.flatMap(messagesOf)),
    }),
    answer: ({ parts, finishReason }) => ({
      [genAiContent.outputMessages]: JSON.stringify([
        {
          role: "assistant",
          parts: parts.map((part: AnswerPart) => ("call" in part ? callOf(part.call) : partOf(part.part))),
          finish_reason: finishReason ?? "other",
        },
      ]),
    }),
    callInput: (input) => ({ [genAiContent.toolCallArguments]: json(input) }),
    callOutput: (output) => ({ [genAiContent.toolCallResult]: json(output) }),
  };
}

/** As many messages as there is room for, from the last one back. */
function newest(messages: readonly JsonObject[]): string {
  const kept: string[] = [];
  let length = 0;
  for (const message of messages.toReversed()) {
    const text = JSON.stringify(message);
    length += text.length;
    if (length > MAX_MESSAGES) break;
    kept.unshift(text);
  }
  return `[${kept.join(",")}]`;
}
