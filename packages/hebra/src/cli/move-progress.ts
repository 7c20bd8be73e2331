import { CommandError, exitCodes } from "@hebra/cli-kit";
import { errorCode } from "@hebra/core";
import type { MoveProgress } from "@hebra/thread/runtime";

/** Milliseconds for people. */
export const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** A line of progress for people. */
export function lineOf({ step, state, ms, text }: MoveProgress): string {
  if (state === "begun") return `${step} …`;
  return state === "going" ? `  ${seconds(ms)}  ${text}` : `${step} done in ${seconds(ms)}: ${text}`;
}

/** Not finished in time is not the same as a server that is away. @returns the error to throw */
export function unfinished(error: unknown): unknown {
  return errorCode(error) === "TIMEOUT"
    ? new CommandError("TIMEOUT", (error as Error).message, exitCodes.unfinished)
    : error;
}
