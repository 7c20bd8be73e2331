import { type JsonObject, type JsonValue } from "@hebra/core";

/** A call in a message of the old engine, with what is known of its outcome. */
export interface StoryCall {
  callId: string;
  name: string;
  input: JsonValue;
  settled:
    | { status: "succeeded"; output: JsonValue }
    | { status: "failed"; error: string }
    | { status: "denied"; error: string }
    | undefined;
}

/** A part of a message: a thread's part, with the call that it shows, if it is one. */
export interface MappedPart {
  content: JsonObject;
  call: StoryCall | undefined;
}

/** A part of a message's content, with the step of the message that it belongs to. */
export interface ContentPart {
  part: JsonObject;
  step: number;
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
  const plain = (content: JsonObject): MappedPart => ({
    content: { ...content, step, ...providerData(part["providerMetadata"]) },
    call: undefined,
  });
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
  return { content: { kind: "data", name: type === "" ? "part" : type, data: part, step }, call: undefined };
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a provider must get back with its part, e.g. a signature. */
const providerData = (value: JsonValue | undefined): JsonObject => (isObject(value) ? { providerMetadata: value } : {});

/** Where a message's next model answer begins: it has no words of its own. */
export const isStepStart = (part: JsonObject): boolean => part["type"] === "step-start";

function mapCall(part: JsonObject, step: number, results: ReadonlyMap<string, StoryCall["settled"]>): MappedPart {
  const callId = String(part["toolCallId"]);
  const name =
    part["type"] === "dynamic-tool" ? String(part["toolName"] ?? "tool") : String(part["type"]).slice("tool-".length);
  // Of a call whose input did not parse only the raw one is kept.
  const input = part["input"] ?? part["rawInput"] ?? part["args"] ?? {};
  const settled = ownOutcome(part) ?? results.get(callId);
  const outcome: JsonObject =
    settled === undefined
      ? { status: "failed", error: UNSETTLED }
      : settled.status === "succeeded"
        ? settled
        : { status: "failed", error: settled.error };
  return {
    content: {
      kind: "action",
      callId,
      name,
      input,
      step,
      ...outcome,
      ...(part["providerExecuted"] === true && { ownedByReactor: true }),
      ...providerData(part["callProviderMetadata"]),
    },
    call: { callId, name, input, settled },
  };
}

/** The outcome that a part itself holds. */
function ownOutcome(part: JsonObject): StoryCall["settled"] {
  const approval = isObject(part["approval"]) ? part["approval"] : {};
  switch (part["state"]) {
    case "output-available":
      return { status: "succeeded", output: part["output"] ?? null };
    case "output-error":
      return { status: "failed", error: String(part["errorText"] ?? "failed") };
    case "output-denied":
      return { status: "denied", error: denial(approval["reason"]) };
    case "approval-responded":
      return approval["approved"] === false ? { status: "denied", error: denial(approval["reason"]) } : undefined;
    default:
      return undefined;
  }
}

const denial = (reason: JsonValue | undefined): string =>
  typeof reason === "string" && reason !== "" ? `A person denied this call: ${reason}` : "A person denied this call.";

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
export function contentResults(parts: readonly ContentPart[]): Map<string, StoryCall["settled"]> {
  const found = new Map<string, StoryCall["settled"]>();
  for (const { part } of parts) {
    const { call } = mapPart(part, 0, new Map());
    if (call?.settled !== undefined) found.set(call.callId, call.settled);
  }
  return found;
}

/** The parts of a message: a list, or the old single text. Beginnings of steps are no parts; they count. */
export function contentParts(content: JsonValue): ContentPart[] {
  if (!isObject(content)) return [];
  const parts = content["parts"];
  if (!Array.isArray(parts))
    return typeof content["text"] === "string" ? [{ part: { type: "text", text: content["text"] }, step: 0 }] : [];
  const made: ContentPart[] = [];
  let step = 0;
  for (const part of parts.filter(isObject)) {
    if (!isStepStart(part)) made.push({ part, step });
    else if (made.at(-1)?.step === step) step++;
  }
  return made;
}
