import { closeSync, openSync, readSync } from "node:fs";
import type { LogLine } from "./records.ts";

/** Reads the workers' log as it grows: what was read before is not read again. */
export function createLogReader(file: string): { read(): LogLine[]; close(): void } {
  const descriptor = openSync(file, "r");
  const buffer = Buffer.alloc(1 << 20);
  const lines: LogLine[] = [];
  let at = 0;
  let rest = "";
  return {
    read() {
      for (
        let bytes = readSync(descriptor, buffer, 0, buffer.length, at);
        bytes > 0;
        bytes = readSync(descriptor, buffer, 0, buffer.length, at)
      ) {
        at += bytes;
        const parts = (rest + buffer.toString("latin1", 0, bytes)).split("\n");
        rest = parts.pop()!;
        for (const part of parts) lines.push(JSON.parse(part) as LogLine);
      }
      return lines;
    },
    close: () => closeSync(descriptor),
  };
}
