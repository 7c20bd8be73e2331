import { deriveId, errorMessage, type JsonValue, type Logger } from "@hebra/core";
import type { ModelOutputPart } from "@hebra/reactor";
import type { CallResult } from "../turn/call-result.ts";
import { outputText } from "../prompt/references.ts";
import type { BlobStore } from "./blob-store.ts";

/** What a row holds in place of an output that a blob store keeps. */
export type KeptElsewhere = { $blob: string; characters: number; head: string };

/** Whether an output is kept in a blob store. */
export function isKeptElsewhere(output: JsonValue | undefined): output is KeptElsewhere {
  if (typeof output !== "object" || output === null || Array.isArray(output)) return false;
  const { $blob, characters, head } = output;
  return typeof $blob === "string" && typeof characters === "number" && typeof head === "string";
}

/** The characters of the whole output. */
export const sizeKeptElsewhere = ({ characters }: KeptElsewhere): number => characters;

/**
 * Moves an output that is over the cap to the blob store. While that fails the row holds it whole: a result is never
 * lost.
 */
export async function spill(
  result: CallResult,
  where: {
    blobs: BlobStore | undefined;
    tenant: string;
    contextId: string;
    partId: string;
    maxCharacters: number;
    logger: Logger;
  },
): Promise<CallResult> {
  const { blobs, logger } = where;
  if (blobs === undefined || result.status !== "succeeded" || result.output === undefined) return result;
  try {
    const output = await spillOutput(result.output, { ...where, blobs });
    const modelOutput = await spillFiles(result.modelOutput, { ...where, blobs });
    return { ...result, output, ...(modelOutput === undefined ? {} : { modelOutput }) };
  } catch (error) {
    logger.warn("A long result could not be given to the blob store; its row holds it whole.", {
      error: errorMessage(error),
    });
    return result;
  }
}

interface Place {
  blobs: BlobStore;
  tenant: string;
  contextId: string;
  partId: string;
  maxCharacters: number;
}

async function spillOutput(
  output: JsonValue,
  { blobs, tenant, contextId, partId, maxCharacters }: Place,
): Promise<JsonValue> {
  const text = outputText(output);
  if (text.length <= maxCharacters) return output;
  await blobs.put({ tenant, contextId, id: partId }, text);
  const kept: KeptElsewhere = {
    $blob: partId,
    characters: text.length,
    head: text.slice(0, maxCharacters).toWellFormed(),
  };
  return kept;
}

/** Where the engine finds what it has moved itself; other `blob:` references are the host's. */
const OWN = "blob:hebra/";

async function spillFiles(
  pieces: CallResult["modelOutput"],
  { blobs, tenant, contextId, partId, maxCharacters }: Place,
): Promise<CallResult["modelOutput"]> {
  if (pieces === undefined) return undefined;
  const moved: ModelOutputPart[] = [];
  for (const [i, piece] of pieces.entries()) {
    if (piece.type !== "file" || !piece.url.startsWith("data:") || piece.url.length <= maxCharacters) {
      moved.push(piece);
      continue;
    }
    const id = deriveId("blob", partId, i);
    await blobs.put({ tenant, contextId, id }, piece.url);
    moved.push({ ...piece, url: `${OWN}${contextId}/${id}` });
  }
  return moved;
}

/** What a reference of ours stands for. `undefined`: it is the host's, or the text is gone. */
export async function readOwnFile(
  blobs: BlobStore | undefined,
  tenant: string,
  url: string,
): Promise<string | undefined> {
  if (!url.startsWith(OWN)) return undefined;
  const [contextId, id] = url.slice(OWN.length).split("/");
  return contextId === undefined || id === undefined ? undefined : blobs?.get({ tenant, contextId, id });
}
