/** What the workers of the chaos run answer with: an echo that says who answered, and writes down when. */
import { appendFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { Reactor } from "@hebra/reactor";
import { defineThread } from "@hebra/thread";
import { now, type LogLine } from "./records.ts";

const file = process.env["CHAOS_LOG"];
let count = 0;

function note(line: LogLine): void {
  // One write of one short line to a file opened for appending is whole, also among processes.
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}

const echo: Reactor = {
  contract: "reactor-v1",
  name: "echo",
  async *react(input) {
    const part = input.transcript.filter(({ role }) => role === "user").at(-1)?.parts.at(-1);
    const [nonce = "", ms = "0"] = (part?.kind === "text" ? part.text : "").split("|");
    const attempt = `${process.pid}.${++count}`;
    note({ event: "start", attempt, nonce, pid: process.pid, at: now() });
    yield { type: "part-start", partId: "p", kind: "text" };
    await wait(Number(ms));
    yield { type: "part-delta", partId: "p", delta: `${nonce}|${attempt}` };
    yield { type: "part-end", partId: "p" };
    yield { type: "usage", usage: {} };
    note({ event: "end", attempt, nonce, pid: process.pid, at: now() });
    yield { type: "finish", reason: "stop" };
  },
};

export const threads = [defineThread({ name: "echo", reactor: echo })];
