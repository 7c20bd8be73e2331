#!/usr/bin/env node
import { runCommand } from "./run-command.ts";

const stop = new AbortController();
// The first Ctrl-C ends the run between two contexts; the second ends the process.
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

process.exitCode = await runCommand(
  process.argv.slice(2),
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
  },
  stop.signal,
);
