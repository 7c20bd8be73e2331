import type { JsonObject } from "@hebra/core";
import type { TranscriptPart } from "@hebra/reactor";
import type { PartRow } from "../store/rows.ts";

/** A part as rows hold it, or as a transcript does. */
export type AnyPart = PartRow["content"] | TranscriptPart;

/** A part as the old engine kept it: in the AI SDK's UI message format. */
export function toUiPart(content: AnyPart): JsonObject {
  switch (content.kind) {
    case "text":
    case "reasoning":
      return { type: content.kind, text: content.text };
    case "file":
      return {
        type: "file",
        mediaType: content.mediaType,
        url: content.url,
        ...(content.filename === undefined ? {} : { filename: content.filename }),
      };
    case "source":
      return {
        type: "source-url",
        sourceId: content.id,
        ...(content.url === undefined ? {} : { url: content.url }),
        ...(content.title === undefined ? {} : { title: content.title }),
      };
    case "data":
      return isObject(content.data) && content.data["type"] === content.name
        ? content.data
        : { type: `data-${content.name}`, data: content.data };
    case "action": {
      const outcome: JsonObject =
        content.status === "succeeded"
          ? { state: "output-available", output: content.output ?? null }
          : { state: "output-error", errorText: content.error ?? "not settled" };
      return { type: `tool-${content.name}`, toolCallId: content.callId, input: content.input, ...outcome };
    }
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
