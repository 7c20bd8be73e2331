import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";
import { createIdGenerator, errorCode, errorMessage, HebraError, parseOptions, sleep } from "@hebra/core";
import * as z from "zod";
import type { Channel, ChannelContext, ChannelMessage, Locate } from "../channel.ts";
import { liveScreen, plainScreen, type Screen, type TerminalOutput } from "./terminal/screen.ts";

/** How {@link terminalChannel} is made. */
export interface TerminalChannelOptions {
  /** @defaultValue "terminal" */
  name?: string;
  /** @defaultValue standard input */
  input?: Readable;
  /** @defaultValue standard output */
  output?: TerminalOutput;
  /** The conversation to begin with. `/session NAME` changes it. @defaultValue "main" */
  session?: string;
  /** Where messages belong. @defaultValue the conversation `<name>:<session>` of the tenant `default` */
  locate?: Locate;
  /**
   * Decides an approval that `/approve ID` or `/deny ID [why]` names. @defaultValue the screen tells the id only
   */
  decide?: (approvalId: string, decision: "approve" | "deny", comment: string) => Promise<void>;
}

/** A channel whose other side sits before it. */
export interface TerminalChannel extends Channel {
  /** Resolves when there is nothing more to come: the end of the input, `/quit`, or Ctrl-C. */
  readonly ended: Promise<"end" | "interrupt">;
  /** Resolves when every line that was typed has been handed over, or given up. */
  taken(): Promise<void>;
  /**
   * Resolves when every line that was handed over has been answered, or waits for a person. A turn that says nothing
   * gives no answer.
   */
  answered(): Promise<void>;
}

const schema = z.strictObject({
  name: z.string().min(1).default("terminal"),
  input: z
    .custom<Readable>(
      (value) => typeof (value as Readable | undefined)?.pipe === "function",
      "must be a stream to read from",
    )
    .optional(),
  output: z
    .custom<TerminalOutput>(
      (value) => typeof (value as TerminalOutput | undefined)?.write === "function",
      "must be a stream to write to",
    )
    .optional(),
  session: z
    .string()
    .regex(/^\S{1,200}$/, "must be 1 to 200 characters without white space")
    .default("main"),
  locate: z.custom<Locate>((value) => typeof value === "function", "must be a function").optional(),
  decide: z
    .custom<NonNullable<TerminalChannelOptions["decide"]>>((value) => typeof value === "function", "must be a function")
    .optional(),
});

const RETRY_MS = 500;
const HELP = [
  "/session NAME  goes on in another conversation, or begins it",
  "/session       says which one this is",
  "/approve ID    lets a waiting call run; /deny ID [why] refuses it",
  "/quit          ends (so do Ctrl-C and the end of the input)",
  "//text         says /text",
].join("\n");

/**
 * Lines in, answers out. On a terminal answers grow in place; into a pipe or a file they go line by line, whole. A line
 * counts
 * as taken once it was published: while the bus is away it is tried again under the same id, and the lines after it
 * wait.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { PassThrough } from "node:stream";
 * import { defineThread } from "@hebra/thread";
 * import { scriptedReactor } from "@hebra/thread/reactor";
 * import { createRuntime, terminalChannel } from "@hebra/thread/runtime";
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * const desk = defineThread({ name: "desk", reactor: scriptedReactor({ steps: [{ text: "Hello." }], repeatLast: true })
 * });
 * const runtime = createRuntime({ threads: [desk], store: memoryStore() });
 * const input = new PassThrough();
 * const terminal = terminalChannel({ input, output: process.stdout });
 * await runtime.gateway({ channels: [terminal] });
 * input.end("Hi\n"); // prints: Hello.
 * await terminal.ended;
 * await terminal.answered();
 * await runtime.close();
 * ```
 */
export function terminalChannel(options: TerminalChannelOptions = {}): TerminalChannel {
  const {
    name,
    input = process.stdin,
    output = process.stdout,
    session,
    locate,
    decide,
  } = parseOptions("terminalChannel", schema, options);
  const nextId = createIdGenerator();
  const stopping = new AbortController();
  /** Lines without an answer, by chat and id. */
  const open = new Set<string>();
  let context: ChannelContext | undefined;
  let screen: Screen = plainScreen(output);
  let line: Interface | undefined;
  let chat = session;
  let left = false;
  let taking: Promise<void> = Promise.resolve();
  let answeredAll = () => {};
  let end: (why: "end" | "interrupt") => void = () => {};
  const ended = new Promise<"end" | "interrupt">((resolve) => (end = resolve));

  /** A closed interface goes on with the lines that came in one piece with the last. */
  function leave(): void {
    left = true;
    line?.close();
  }

  function take(text: string): void {
    if (left) return;
    screen.entered();
    if (text.trim() === "") return prompt();
    if (text.startsWith("/") && !text.startsWith("//")) return obey(text.slice(1).trim());
    const message: ChannelMessage = { id: nextId(), chat, text: text.startsWith("//") ? text.slice(1) : text };
    open.add(`${chat} ${message.id}`);
    taking = taking.then(() => handOver({ ...message, ...locate?.(message) }));
    prompt();
  }

  function obey(command: string): void {
    const [word, argument, ...more] = command.split(/\s+/);
    if (word === "quit" || word === "exit") return leave();
    if (word === "help") screen.print(HELP);
    else if ((word === "approve" || word === "deny") && decide !== undefined && argument !== undefined)
      void decide(argument, word, more.join(" ")).then(
        () => screen.print(word === "approve" ? "Approved." : "Denied."),
        (error: unknown) => screen.print(`Not decided: ${errorMessage(error)}`),
      );
    else if (word !== "session" || more.length > 0)
      screen.print(`There is no /${command}. /help tells what there is; //text says a text that begins with a slash.`);
    else if (argument === undefined) screen.print(`This is the conversation ${chat}.`);
    else if (argument.length > 200) screen.print("A conversation's name has at most 200 characters.");
    else {
      chat = argument;
      screen.show("");
      screen.print(`This is the conversation ${chat}.`);
    }
    prompt();
  }

  /** Tried until it is taken: what was typed cannot be asked for again. */
  async function handOver(message: ChannelMessage): Promise<void> {
    let told = false;
    while (context !== undefined && !stopping.signal.aborted) {
      try {
        return void (await context.publish(message));
      } catch (error) {
        if (!HebraError.isInstance(error) || !error.retryable) {
          screen.print(`Not taken: ${errorCode(error) ?? "INTERNAL"}: ${errorMessage(error)}`);
          return answered(message.chat, message.id);
        }
        if (!told) screen.print("It cannot be handed over yet and is tried again.");
        told = true;
        await sleep(context.clock, RETRY_MS, stopping.signal).catch(() => undefined);
      }
    }
    screen.print(`Not taken, as this ends: ${message.text ?? ""}`);
  }

  function answered(at: string, id: string): void {
    open.delete(`${at} ${id}`);
    if (open.size === 0) answeredAll();
  }

  const prompt = () => screen.prompt(chat);

  return {
    name,
    ended,
    async taken() {
      for (let seen; seen !== taking;) await (seen = taking);
    },
    async answered() {
      await this.taken();
      while (open.size > 0) await new Promise<void>((resolve) => (answeredAll = resolve));
    },
    async start(given) {
      context = given;
      const live = output.isTTY === true && (input as { isTTY?: boolean }).isTTY === true;
      line = live ? createInterface({ input, output, terminal: true }) : createInterface({ input, terminal: false });
      if (live) screen = liveScreen(output, line);
      line.on("line", take);
      line.on("SIGINT", () => {
        end("interrupt");
        leave();
      });
      line.on("close", () => {
        screen.close();
        // What is said from now on stands alone.
        screen = plainScreen(output);
        end("end");
      });
      if (live) screen.print("/help tells what can be said besides words.");
      prompt();
    },
    async stop() {
      leave();
      stopping.abort();
      await taking;
    },
    async send(reply) {
      screen.show("");
      const mark = reply.chat === chat ? "" : `[${reply.chat}] `;
      screen.print(`${mark}${reply.text}`);
      answered(reply.chat, reply.inReplyTo);
    },
    async sendWaiting(waiting) {
      screen.show("");
      const mark = waiting.chat === chat ? "" : `[${waiting.chat}] `;
      for (const { id, action, input, reason } of waiting.approvals) {
        const call = `${action}(${input === undefined ? "…" : JSON.stringify(input)})`;
        screen.print(`${mark}This waits for approval: ${call}${reason === undefined ? "" : ` - ${reason}`}`);
        screen.print(decide === undefined ? `It is decided by the id ${id}.` : `/approve ${id}, or /deny ${id}`);
      }
      answered(waiting.chat, waiting.inReplyTo);
    },
    async sendDelta(delta) {
      if (delta.chat === chat) screen.show(delta.text);
    },
  };
}
