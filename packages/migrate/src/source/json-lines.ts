import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import type { JsonObject } from "@hebra/core";

/** A line that is not blank. */
export interface Line {
  text: string;
  offset: number;
  length: number;
  /** From 1. */
  line: number;
  /** False when bytes were replaced to read it. */
  utf8: boolean;
}

/** Calls back for each line that is not blank. @returns the file's SHA-256; that of nothing when it is absent. */
export async function eachLine(path: string, visit: (line: Line) => void): Promise<string> {
  const hash = createHash("sha256");
  if (!existsSync(path)) return hash.digest("hex");
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  let line = 0;
  const take = (bytes: Buffer) => {
    line++;
    const text = bytes.toString("utf8");
    if (text.trim() !== "") visit({ text, offset, length: bytes.length, line, utf8: isUtf8(bytes) });
  };
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10, from)) {
      take(rest.subarray(from, end));
      offset += end - from + 1;
      from = end + 1;
    }
    rest = rest.subarray(from);
  }
  if (rest.length > 0) take(rest);
  return hash.digest("hex");
}

/** A row; undefined for what is no JSON object. */
export function parseRow(text: string): JsonObject | undefined {
  try {
    // A byte order mark is no part of the first row.
    const value: unknown = JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
