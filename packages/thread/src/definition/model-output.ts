import { errorMessage, type JsonValue } from "@hebra/core";
import type { ModelOutputPart } from "@hebra/reactor";
import { storableText, toStorable } from "./storable.ts";

/** What a model is shown of a result, or why it is shown the output's JSON instead. */
export type MadeModelOutput = { modelOutput?: readonly ModelOutputPart[]; note?: string };

/** Makes what a model is shown. Never throws: the action has run. */
export async function makeModelOutput(make: (() => unknown) | undefined): Promise<MadeModelOutput> {
  if (make === undefined) return {};
  try {
    const made = toPieces(await make());
    return made === undefined || made.length === 0 ? {} : { modelOutput: made };
  } catch (error) {
    return { note: `its \`toModelOutput\` failed: ${storableText(errorMessage(error))}` };
  }
}

/** Our own form, and the AI SDK's of versions 6 and 7. */
function toPieces(made: unknown): ModelOutputPart[] | undefined {
  if (made === undefined || made === null) return undefined;
  if (typeof made === "string") return [text(made)];
  if (Array.isArray(made)) return made.map(toPiece);
  const { type, value, reason } = made as Record<string, unknown>;
  switch (type) {
    case "text":
    case "error-text":
      return [text(String(value))];
    case "json":
    case "error-json":
      return [text(jsonOf(value))];
    case "execution-denied":
      return [text(typeof reason === "string" ? reason : "The call was denied.")];
    case "content":
      return (value as unknown[]).map(toPiece);
    default:
      throw new TypeError(`it returned no text and no list of pieces, but the type ${JSON.stringify(type)}`);
  }
}

function toPiece(piece: unknown): ModelOutputPart {
  const { type, text: words, url, data, mediaType, filename } = piece as Record<string, unknown>;
  if (type === "text") return text(String(words));
  if (typeof type !== "string" || !/^(file|image|media)/.test(type))
    throw new TypeError(`it returned a piece of the type ${JSON.stringify(type)}`);
  const kind =
    typeof mediaType === "string" ? mediaType : type.startsWith("image") ? "image/*" : "application/octet-stream";
  const place = urlOf(url ?? data, kind);
  if (place === undefined) return text(`[A file (${kind}) that is known to the model's provider alone.]`);
  return {
    type: "file",
    mediaType: storableText(kind),
    url: storableText(place),
    ...(typeof filename === "string" ? { filename: storableText(filename) } : {}),
  };
}

/** Bytes, base64, a URL, or the AI SDK 7's `{ type, … }` of one of them. */
function urlOf(data: unknown, mediaType: string): string | undefined {
  if (data instanceof URL) return data.href;
  if (data instanceof Uint8Array) return `data:${mediaType};base64,${Buffer.from(data).toString("base64")}`;
  if (typeof data === "string") return /^[a-z][a-z0-9+.-]*:/i.test(data) ? data : `data:${mediaType};base64,${data}`;
  if (typeof data !== "object" || data === null) return undefined;
  const inner = data as Record<string, unknown>;
  if (typeof inner["text"] === "string")
    return `data:${mediaType};base64,${Buffer.from(inner["text"], "utf8").toString("base64")}`;
  return urlOf(inner["url"] ?? inner["data"], mediaType);
}

const text = (words: string): ModelOutputPart => ({ type: "text", text: storableText(words) });
const jsonOf = (value: unknown) => JSON.stringify(toStorable(value).value satisfies JsonValue);
