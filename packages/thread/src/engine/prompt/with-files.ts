import type { FilePart, ModelOutputPart, TranscriptMessage, TranscriptPart } from "@hebra/reactor";
import type { BlobStore } from "../blobs/blob-store.ts";
import { readOwnFile } from "../blobs/spilled.ts";

/** Who turns references into what a model can read. */
export interface FileReaders {
  tenant: string;
  blobs: BlobStore | undefined;
  readFile: ((url: string) => Promise<string>) | undefined;
}

type FilePiece = Extract<ModelOutputPart, { type: "file" }>;

/** Files are kept by reference; a model gets what the reference stands for. */
export async function withFiles(
  transcript: TranscriptMessage[],
  { tenant, blobs, readFile }: FileReaders,
): Promise<TranscriptMessage[]> {
  if (!transcript.some(({ parts }) => parts.some(hasReference))) return transcript;
  const read = async <F extends { url: string }>(file: F): Promise<F> => {
    const url = await readFile?.(file.url);
    return url === undefined ? file : { ...file, url };
  };
  // A reference of ours counts in a result alone: what a person sends must not lead to another conversation's file.
  const readResult = async (file: FilePiece): Promise<FilePiece> => {
    const url = await readOwnFile(blobs, tenant, file.url);
    return url === undefined ? read(file) : { ...file, url };
  };
  const readPart = async (part: TranscriptPart): Promise<TranscriptPart> => {
    if (!hasReference(part)) return part;
    if (part.kind !== "action") return read(part as FilePart);
    const pieces = part.modelOutput!.map((piece) =>
      piece.type === "file" && isReference(piece) ? readResult(piece) : Promise.resolve(piece),
    );
    return { ...part, modelOutput: await Promise.all(pieces) };
  };
  return Promise.all(
    transcript.map(async (message) => ({ ...message, parts: await Promise.all(message.parts.map(readPart)) })),
  );
}

const isReference = ({ url }: { url: string }) => url.startsWith("blob:");

function hasReference(part: TranscriptPart): boolean {
  if (part.kind === "file") return isReference(part);
  return (
    part.kind === "action" && (part.modelOutput ?? []).some((piece) => piece.type === "file" && isReference(piece))
  );
}
