import type { JsonObject, JsonValue } from "@hebra/core";
import type { TranscriptPart } from "@hebra/thread/reactor";
import { toUiPart, type AnyPart } from "@hebra/thread/legacy";

/** A call as the model made it, before anything came of it. */
export function toUnsettledPart(content: AnyPart): JsonObject {
  if (content.kind !== "action") return toUiPart(content);
  return { type: `tool-${content.name}`, toolCallId: content.callId, state: "input-available", input: content.input };
}

/**
 * A UI message part as a part of a transcript, or nothing for one that only marks a step's beginning. What has no
 * counterpart
 * is kept whole as a data part. The same as the migration's mapping, so that a message reads alike however it came
 * here.
 */
export function fromUiPart(part: JsonObject): TranscriptPart | undefined {
  const type = String(part["type"] ?? "");
  if (type === "step-start") return undefined;
  if (type === "text" || type === "reasoning") return { kind: type, text: textOf(part["text"]) };
  if (type === "file" && typeof part["url"] === "string") {
    return {
      kind: "file",
      mediaType: typeof part["mediaType"] === "string" ? part["mediaType"] : "application/octet-stream",
      url: part["url"],
      ...(typeof part["filename"] === "string" ? { filename: part["filename"] } : {}),
    };
  }
  if (type === "source-url" && typeof part["url"] === "string") {
    return {
      kind: "source",
      id: typeof part["sourceId"] === "string" ? part["sourceId"] : part["url"],
      url: part["url"],
      ...(typeof part["title"] === "string" ? { title: part["title"] } : {}),
    };
  }
  const call = callOf(part);
  if (call === undefined) return { kind: "data", name: type === "" ? "part" : type, data: part };
  if (part["state"] === "output-available")
    return { kind: "action", ...call, status: "succeeded", output: part["output"] ?? null };
  return {
    kind: "action",
    ...call,
    status: "failed",
    error: part["state"] === "output-error" ? textOf(part["errorText"] ?? "failed") : "not settled",
  };
}

/** The call that a UI message part shows, if it shows one. */
export function callOf(part: JsonObject): { callId: string; name: string; input: JsonValue } | undefined {
  const type = String(part["type"] ?? "");
  const callId = part["toolCallId"];
  if (typeof callId !== "string" || !(type.startsWith("tool-") || type === "dynamic-tool")) return undefined;
  const name = type === "dynamic-tool" ? textOf(part["toolName"] ?? "tool") : type.slice("tool-".length);
  return { callId, name, input: part["input"] ?? part["args"] ?? {} };
}

/** The parts of a message's content: a list, or the old single text. */
export function partsOf(content: unknown): JsonObject[] {
  if (!isObject(content)) return [];
  const { parts, text } = content;
  if (Array.isArray(parts)) return parts.filter(isObject);
  return typeof text === "string" ? [{ type: "text", text }] : [];
}

const textOf = (value: JsonValue | undefined): string =>
  typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
