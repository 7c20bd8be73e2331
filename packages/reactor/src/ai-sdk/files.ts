import { HebraError } from "@hebra/core";
import type { FilePart } from "../transcript.ts";
import { toOptions } from "./metadata.ts";
import type { PromptContent } from "./specification.ts";

type ModelFile = Extract<PromptContent<"user">[number], { type: "file" }>;

/** What a model can be given of a file: its bytes, or where the model's provider finds it. */
export type FileContent = Uint8Array | URL;

/** Reads a file that a part refers to. `undefined` when it cannot be had: the model is told so. */
export type ReadFile = (file: FilePart) => FileContent | undefined | Promise<FileContent | undefined>;

/** What the model is told of a file that it cannot be given. */
export function fileNote(file: Pick<FilePart, "filename" | "mediaType">): string {
  return `[The file ${JSON.stringify(file.filename ?? "without a name")} (${file.mediaType}) cannot be shown.]`;
}

/** A file for a prompt, or `undefined` when there is no content to give. */
export async function toFile(file: FilePart, readFile: ReadFile | undefined): Promise<ModelFile | undefined> {
  const content = readFile === undefined ? fromUrl(file.url) : await readOr(file, readFile);
  if (content === undefined) return undefined;
  const data = content instanceof URL ? fromUrl(content.href) : content;
  if (data === undefined) return undefined;
  return {
    type: "file",
    data,
    mediaType: file.mediaType,
    ...(file.filename === undefined ? {} : { filename: file.filename }),
    ...toOptions(file.providerMetadata),
  };
}

/** A file that cannot be read, e.g. as its link has expired, must not fail every later turn: the model is told. */
async function readOr(file: FilePart, readFile: ReadFile): Promise<FileContent | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    // What the host says by a typed error is meant.
    if (HebraError.isInstance(error)) throw error;
    return undefined;
  }
}

/** Links stay links; `data:` URLs are decoded. Other schemes, `blob:` among them, mean something only to the host. */
function fromUrl(text: string): FileContent | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol === "https:" || url.protocol === "http:") return url;
  return url.protocol === "data:" ? decodeDataUrl(text) : undefined;
}

/** RFC 2397. */
function decodeDataUrl(text: string): Uint8Array | undefined {
  const comma = text.indexOf(",");
  if (comma === -1) return undefined;
  const body = text.slice(comma + 1);
  try {
    const plain = body.includes("%") ? decodeURIComponent(body) : body;
    return /;\s*base64\s*$/i.test(text.slice(0, comma)) ? Buffer.from(plain, "base64") : Buffer.from(plain, "utf8");
  } catch {
    return undefined;
  }
}
