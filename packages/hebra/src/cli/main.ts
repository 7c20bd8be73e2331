#!/usr/bin/env node
import { runCommand } from "./run-command.ts";

const stop = new AbortController();
// The first signal ends the work in order; the second ends the process.
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

process.exitCode = await runCommand(process.argv.slice(2), { out: (text) => void process.stdout.write(text), err: (text) => void process.stderr.write(text) }, stop.signal);
