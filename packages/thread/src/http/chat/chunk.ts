import type { JsonObject, JsonValue } from "@hebra/core";
import type { WholePart } from "../../engine/turn/answer.ts";
import type { PartRow } from "../../store/rows.ts";

/**
 * One chunk of the AI SDK's UI message stream.
 *
 * @see https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol
 */
export type UiChunk = { type: string } & { [member: string]: JsonValue };

type Content = PartRow["content"] | WholePart;

/** Leaves out what is not set. */
export const defined = (members: Record<string, JsonValue | undefined>): JsonObject =>
  Object.fromEntries(Object.entries(members).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined));

/** A file, a source or a data part, which is the same as a chunk and as a part of a UI message. */
export function wholeUiPart(content: Exclude<Content, { kind: "text" | "reasoning" | "action" }>, id: string): UiChunk {
  switch (content.kind) {
    case "file":
      return { type: "file", mediaType: content.mediaType, url: content.url };
    case "source":
      return content.url === undefined
        ? {
            type: "source-document",
            sourceId: content.id,
            mediaType: "application/octet-stream",
            title: content.title ?? content.id,
          }
        : { type: "source-url", ...defined({ sourceId: content.id, url: content.url, title: content.title }) };
    case "data":
      return { type: dataType(content.name), id, data: content.data };
  }
}

const dataType = (name: string) => (name.startsWith("data-") ? name : `data-${name}`);

/** The chunks of a part that comes whole. */
export function wholeChunks(content: Content, id: string): UiChunk[] {
  if (content.kind === "text" || content.kind === "reasoning")
    return [
      { type: `${content.kind}-start`, id },
      ...(content.text === "" ? [] : [{ type: `${content.kind}-delta`, id, delta: content.text }]),
      { type: `${content.kind}-end`, id },
    ];
  if (content.kind !== "action") return [wholeUiPart(content, id)];
  const { callId: toolCallId, name: toolName, input, ownedByReactor } = content;
  return [
    {
      type: "tool-input-available",
      toolCallId,
      toolName,
      input,
      ...(ownedByReactor === true ? { providerExecuted: true } : {}),
    },
  ];
}

/** What came of a call; nothing while it is open, or waits for a result from elsewhere. */
export function outcomeChunk(
  toolCallId: string,
  { status, output, error }: { status: string; output: JsonValue; error: JsonValue },
  providerExecuted: boolean,
): UiChunk | undefined {
  const owned = providerExecuted ? { providerExecuted: true } : {};
  switch (status) {
    case "succeeded":
      return { type: "tool-output-available", toolCallId, output, ...owned };
    case "denied":
      return { type: "tool-output-denied", toolCallId };
    case "failed":
    case "expired":
    case "cancelled":
      return { type: "tool-output-error", toolCallId, errorText: messageOf(error) ?? status, ...owned };
    default:
      return undefined;
  }
}

/** The message of a stored error. */
export function messageOf(error: JsonValue | undefined): string | undefined {
  const message = typeof error === "object" && error !== null && !Array.isArray(error) ? error["message"] : undefined;
  return typeof message === "string" ? message : undefined;
}
