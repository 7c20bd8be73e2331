#!/usr/bin/env node
import { setTimeout as wait } from "node:timers/promises";
import { connectionFromEnvironment } from "./io.ts";
import { runCli } from "./run.ts";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  fetch,
  ...connectionFromEnvironment(),
  terminal: process.stdout.isTTY === true,
  columns: process.stdout.columns ?? 120,
  signal: stop.signal,
  sleep: (ms) => wait(ms, undefined, { signal: stop.signal }).catch(() => undefined),
});
