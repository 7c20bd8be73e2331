#!/usr/bin/env node
import { runCommand } from "./run-command.ts";
import { stopOnSignals } from "./signals.ts";

/** Milliseconds for the last lines to be written. */
const EXIT_AFTER_MS = 2_000;

const signal = stopOnSignals(process, (code) => {
  process.stderr.write("Gave up: what was held is taken up again when its lease has run out.\n");
  process.exit(code);
});
// A reader that went away is no reason to fail: `hebra stats | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await runCommand(
  process.argv.slice(2),
  { out: (text) => void process.stdout.write(text), err: (text) => void process.stderr.write(text) },
  signal,
);
// Whatever an app has left open does not keep a process that has finished.
setTimeout(() => process.exit(), EXIT_AFTER_MS).unref();
