/** What workers write down themselves, beside bus and store: when they worked on what, and what was refused to them. */
import { appendFileSync, writeFileSync } from "node:fs";
import { metrics, type MeterProvider } from "@opentelemetry/api";
import { now, type LogLine } from "./records.ts";

let count = 0;

/**
 * A process that was stopped, or got no processor, learns of it by a timer that comes much too late. In milliseconds.
 */
const TICK_MS = 20;
const STOOD_STILL_MS = 1_000;

function note(line: LogLine): void {
  const file = process.env["CHAOS_LOG"];
  // One write of one short line to a file opened for appending is whole, also among processes.
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}

/**
 * Starts the log that this process and the workers it starts append to.
 *
 * @returns `close` ends this process's part in it. Timers of this process may fire after that; they write nothing.
 */
export function openLog(file: string): { close(): void } {
  writeFileSync(file, "");
  process.env["CHAOS_LOG"] = file;
  return { close: () => void delete process.env["CHAOS_LOG"] };
}

/**
 * Writes down a stretch of work on a message. It ends at the latest when the worker is told that the conversation is no
 * longer its own.
 */
export function attempt(nonce: string, signal: AbortSignal): { name: string; end(): void } {
  const { pid } = process;
  const name = `${pid}.${++count}`;
  // An engine that has just heard it may still ask: nothing is worked on then.
  let over = signal.aborted;
  const end = () => {
    if (over) return;
    over = true;
    signal.removeEventListener("abort", end);
    note({ event: "end", attempt: name, nonce, pid, at: now() });
  };
  if (!over) note({ event: "start", attempt: name, nonce, pid, at: now() });
  signal.addEventListener("abort", end);
  return { name, end };
}

/** Writes down that this process stood still, once it notices. */
export function noteAwakenings(): void {
  let last = now();
  const tick = () => {
    if (now() - last > STOOD_STILL_MS) note({ event: "awake", pid: process.pid, since: last, at: now() });
    last = now();
  };
  setInterval(tick, TICK_MS).unref();
}

/** Listens to the engine's own metric of refused writes. To be called before an engine is made. */
export function noteRefusals(): void {
  const silent = { add() {}, record() {} };
  const refused = { add: () => note({ event: "refused", pid: process.pid, at: now() }) };
  const meter = {
    createCounter: (name: string) => (name === "hebra.fence.rejected" ? refused : silent),
    createUpDownCounter: () => silent,
    createHistogram: () => silent,
    createGauge: () => silent,
  };
  metrics.setGlobalMeterProvider({ getMeter: () => meter } as unknown as MeterProvider);
}
