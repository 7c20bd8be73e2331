import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import type { TranscriptMessage } from "@hebra/thread/reactor";

/** One line of what a process did, kept apart from the store so that it can bear witness against it. */
export type Line = { run: "first" | "second" } &
  /** A write point was passed. */
  (
    | { event: "point"; label: string }
    /** The process ended, or paused, itself here. */
    | { event: "stopped"; label: string }
    /** The store refused a write. */
    | { event: "refused"; label: string; code: string }
    /** The engine said that a trigger is stored. */
    | { event: "acknowledged"; triggerId: string }
    /** An action took effect. */
    | { event: "effect"; name: string; key: string; contextId: string; callId: string }
    /** A model was asked. */
    | {
        event: "model";
        contextId: string;
        executionId: string;
        iteration: number;
        transcript: readonly TranscriptMessage[];
      }
    /** The engine wrote to its log. */
    | { event: "log"; text: string }
    /** A turn, or its delivery, ended with an error. */
    | { event: "error"; code: string }
  );

/** @returns appends a line and does not return before it is on disk. */
export function recorder(
  path: string,
  run: Line["run"],
): (line: Line extends infer L ? (L extends Line ? Omit<L, "run"> : never) : never) => void {
  const file = openSync(path, "a");
  process.once("exit", () => closeSync(file));
  return (line) => {
    writeSync(file, `${JSON.stringify({ run, ...line })}\n`);
    fsyncSync(file);
  };
}

export function readRecords(path: string): Line[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}
