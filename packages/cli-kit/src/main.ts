import { ioFromProcess } from "./io.ts";
import type { Program } from "./command.ts";
import { runProgram } from "./program.ts";
import { stopOnSignals } from "./signals.ts";

/** Milliseconds for the last lines to be written. */
const EXIT_AFTER_MS = 2_000;

/**
 * Runs a command line as this process: its arguments, streams, signals and exit code. The second signal ends it at
 * once with 129, 130 or 143.
 */
export async function main(program: Program): Promise<void> {
  const unread = new AbortController();
  const stopped = stopOnSignals(process, (code) => {
    process.stderr.write("Ended at once. Work in progress resumes elsewhere when its lease expires.\n");
    process.exit(code);
  });
  // A reader that has seen enough ends the command in order: `hebra flags watch x | head`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    unread.abort();
  });
  const signal = AbortSignal.any([stopped, unread.signal]);
  process.exitCode = await runProgram(program, process.argv.slice(2), ioFromProcess(signal));
  // What an app has left open does not keep a finished process.
  setTimeout(() => process.exit(), EXIT_AFTER_MS).unref();
}
