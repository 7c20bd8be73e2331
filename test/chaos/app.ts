/** The app of all processes: an echo that says who answered, and the dialogues of a file. */
import { existsSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { Reactor } from "@hebra/reactor";
import { defineThread } from "@hebra/thread";
import { dialogueThread } from "./dialogue-thread.ts";
import { attempt, noteAwakenings, noteRefusals } from "./event-log.ts";

noteRefusals();
noteAwakenings();

/** Once this file is there, nothing takes its time any more. */
const hurried = () => existsSync(`${process.env["CHAOS_LOG"] ?? ""}.hurry`);

const echo: Reactor = {
  contract: "reactor-v1",
  name: "echo",
  async *react(input) {
    const part = input.transcript
      .filter(({ role }) => role === "user")
      .at(-1)
      ?.parts.at(-1);
    const [nonce = "", ms = "0", does] = (part?.kind === "text" ? part.text : "").split("|");
    const { name, end } = attempt(nonce, input.signal);
    yield { type: "part-start", partId: "p", kind: "text" };
    // Whatever the signal says: a process that was stopped goes on where it was, and tries to write.
    await wait(hurried() ? 0 : Number(ms));
    // As a fault in native code does: nothing of this process can catch it.
    if (does === "kills") process.kill(process.pid, "SIGKILL");
    end();
    yield { type: "part-delta", partId: "p", delta: `${nonce}|${name}` };
    yield { type: "part-end", partId: "p" };
    yield { type: "usage", usage: {} };
    yield { type: "finish", reason: "stop" };
  },
};

export const threads = [defineThread({ name: "echo", reactor: echo }), dialogueThread];
