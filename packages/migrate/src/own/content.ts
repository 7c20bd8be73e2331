import type { JsonObject, JsonValue } from "@hebra/core";
import { mapPart } from "../story-to-thread/parts.ts";

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The parts of a message's content: text, a list of AI SDK UI parts, OpenAI content parts, or an object with such a
 * list in `parts`. Parts without a counterpart are kept whole as data parts.
 *
 * @returns undefined for what is no content at all, e.g. a number
 */
export function partsOf(content: JsonValue | undefined): JsonObject[] | undefined {
  if (content === undefined || content === null || content === "") return [];
  if (typeof content === "string") return [textPart(content)];
  if (Array.isArray(content)) return listParts(content);
  if (!isObject(content)) return undefined;
  if (Array.isArray(content["parts"])) return listParts(content["parts"]);
  if (typeof content["text"] === "string") return content["text"] === "" ? [] : [textPart(content["text"])];
  return [dataPart(content)];
}

const textPart = (text: string): JsonObject => ({ kind: "text", text, step: 0 });
const dataPart = (data: JsonObject): JsonObject => {
  const name = data["type"] ?? data["content_type"];
  return { kind: "data", name: typeof name === "string" && name !== "" ? name : "content", data, step: 0 };
};

function listParts(list: readonly JsonValue[]): JsonObject[] {
  const made: JsonObject[] = [];
  let step = 0;
  for (const entry of list) {
    if (isObject(entry) && entry["type"] === "step-start") {
      if (made.some((part) => part["step"] === step)) step++;
      continue;
    }
    if (entry === null || entry === "") continue;
    if (isObject(entry)) made.push({ ...objectPart(entry), step });
    else made.push(typeof entry === "string" ? { ...textPart(entry), step } : { ...dataPart({ value: entry }), step });
  }
  return made;
}

/** OpenAI's own part types; every other is the AI SDK's. */
function objectPart(part: JsonObject): JsonObject {
  switch (part["type"]) {
    case "input_text":
    case "output_text":
      return textPart(String(part["text"] ?? ""));
    case "refusal":
      return textPart(String(part["refusal"] ?? ""));
    case "image_url":
    case "input_image": {
      const image = isObject(part["image_url"]) ? part["image_url"]["url"] : part["image_url"];
      if (typeof image === "string") return { kind: "file", mediaType: imageType(image), url: image, step: 0 };
      return dataPart(part);
    }
    case undefined:
      return dataPart(part);
    default:
      return mapPart(part, 0, new Map()).content;
  }
}

const imageType = (url: string): string => /^data:([^;,]+)/.exec(url)?.[1] ?? "image/*";
