import { type JsonObject, type JsonValue } from "@hebra/core";

/** A call in a message of the old engine, with what is known of its outcome. */
export interface StoryCall {
  callId: string;
  name: string;
  input: JsonValue;
  settled: { status: "succeeded"; output: JsonValue } | { status: "failed"; error: string } | undefined;
}

/** A part of a message: a thread's part, with the call that it shows, if it is one. */
export interface MappedPart {
  content: JsonObject;
  call: StoryCall | undefined;
}

const UNSETTLED = "The call was never settled by the engine that made it; whether it took effect is unknown.";

/**
 * Maps a part as the old engine kept it (the AI SDK's UI message parts) to a thread's part. What has no counterpart is
 * kept
 * whole as a data part: nothing is lost.
 *
 * @param results - outcomes by call id, from the step's own record: the old engine saved parts before it ran their
 * calls.
 */
export function mapPart(
  part: JsonObject,
  step: number,
  results: ReadonlyMap<string, StoryCall["settled"]>,
): MappedPart {
  const type = String(part["type"] ?? "");
  const plain = (content: JsonObject): MappedPart => ({ content: { ...content, step }, call: undefined });
  switch (type) {
    case "text":
      return plain({ kind: "text", text: String(part["text"] ?? "") });
    case "reasoning":
      return plain({ kind: "reasoning", text: String(part["text"] ?? "") });
    case "file":
      if (typeof part["url"] === "string") {
        return plain({
          kind: "file",
          mediaType: String(part["mediaType"] ?? "application/octet-stream"),
          url: part["url"],
          ...(typeof part["filename"] === "string" ? { filename: part["filename"] } : {}),
        });
      }
      break;
    case "source-url":
      if (typeof part["url"] === "string") {
        return plain({
          kind: "source",
          id: String(part["sourceId"] ?? part["url"]),
          url: part["url"],
          ...(typeof part["title"] === "string" ? { title: part["title"] } : {}),
        });
      }
      break;
    default:
      if ((type.startsWith("tool-") || type === "dynamic-tool") && typeof part["toolCallId"] === "string")
        return mapCall(part, step, results);
  }
  return plain({ kind: "data", name: type === "" ? "part" : type, data: part });
}

function mapCall(part: JsonObject, step: number, results: ReadonlyMap<string, StoryCall["settled"]>): MappedPart {
  const callId = String(part["toolCallId"]);
  const name =
    part["type"] === "dynamic-tool" ? String(part["toolName"] ?? "tool") : String(part["type"]).slice("tool-".length);
  const input = part["input"] ?? part["args"] ?? {};
  const own: StoryCall["settled"] =
    part["state"] === "output-available"
      ? { status: "succeeded", output: part["output"] ?? null }
      : part["state"] === "output-error"
        ? { status: "failed", error: String(part["errorText"] ?? "failed") }
        : undefined;
  const settled = own ?? results.get(callId);
  const outcome: JsonObject = settled ?? { status: "failed", error: UNSETTLED };
  return { content: { kind: "action", callId, name, input, step, ...outcome }, call: { callId, name, input, settled } };
}

/** The outcomes that a step has on record: `{toolCallId, success, output | errorText}` in a list. */
export function stepResults(results: JsonValue): Map<string, StoryCall["settled"]> {
  const found = new Map<string, StoryCall["settled"]>();
  for (const entry of Array.isArray(results) ? results : []) {
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) continue;
    const callId = entry["toolCallId"] ?? entry["callId"];
    if (typeof callId !== "string") continue;
    const failed = entry["success"] === false || typeof entry["errorText"] === "string";
    const message = entry["errorText"] ?? entry["message"];
    found.set(
      callId,
      failed
        ? { status: "failed", error: typeof message === "string" ? message : "failed" }
        : { status: "succeeded", output: entry["output"] ?? entry["result"] ?? null },
    );
  }
  return found;
}

/** The outcomes that a message holds in its own parts. */
export function contentResults(parts: readonly JsonObject[]): Map<string, StoryCall["settled"]> {
  const found = new Map<string, StoryCall["settled"]>();
  for (const part of parts) {
    const { call } = mapPart(part, 0, new Map());
    if (call?.settled !== undefined) found.set(call.callId, call.settled);
  }
  return found;
}

/** The parts of a message: a list, or the old single text. */
export function contentParts(content: JsonValue): JsonObject[] {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return [];
  const parts = content["parts"];
  if (Array.isArray(parts))
    return parts.filter(
      (part): part is JsonObject => typeof part === "object" && part !== null && !Array.isArray(part),
    );
  return typeof content["text"] === "string" ? [{ type: "text", text: content["text"] }] : [];
}
