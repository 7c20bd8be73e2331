#!/usr/bin/env node
import { setTimeout as wait } from "node:timers/promises";
import { fromEnvironment } from "./io.ts";
import { runCli } from "./run.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
// A reader that has seen enough (`hebra-flags audit f | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const { stdout } = process;
const { url, token, plain } = fromEnvironment();
const terminal = stdout.isTTY === true;
process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => void stdout.write(text),
  err: (text) => void process.stderr.write(text),
  fetch,
  url,
  token,
  terminal,
  colour: terminal && !plain,
  size: () => ({ columns: stdout.columns ?? 120, rows: stdout.rows ?? Infinity }),
  signal: stop.signal,
  sleep: (ms) => wait(ms, undefined, { signal: stop.signal }).catch(() => undefined),
});
