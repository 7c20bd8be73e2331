/** What the commands of the tests run: an echo that takes as long as it is told to. */
import { setTimeout as wait } from "node:timers/promises";
import { appendFileSync, readFileSync } from "node:fs";
import { HebraError } from "@hebra/core";
import { defineThread } from "@hebra/thread";
import type { Reactor } from "@hebra/thread/reactor";
import { handover } from "@hebra/thread/legacy";
import type { Channel, ChannelContext, ChannelReply, Job, LegacyEngine } from "@hebra/thread/runtime";

const log = process.env["HEBRA_TEST_LOG"];

/** One write of one short line to a file opened for appending is whole, also among processes. */
function note(line: object): void {
  if (log !== undefined) appendFileSync(log, `${JSON.stringify(line)}\n`);
}

/** `text` is answered at once, `text|ms` after so many milliseconds. */
const echo: Reactor = {
  contract: "reactor-v1",
  name: "echo",
  async *react({ transcript, signal }) {
    const part = transcript.findLast(({ role }) => role === "user")?.parts.at(-1);
    const [text = "", ms] = (part?.kind === "text" ? part.text : "").split("|");
    note({ event: "start", text, pid: process.pid });
    yield { type: "part-start", partId: "p", kind: "text" };
    yield { type: "part-delta", partId: "p", delta: "echo: " };
    if (ms !== undefined) await wait(Number(ms), undefined, { signal });
    yield { type: "part-delta", partId: "p", delta: text };
    yield { type: "part-end", partId: "p" };
    yield { type: "usage", usage: {} };
    note({ event: "end", text, pid: process.pid });
    yield { type: "finish", reason: "stop" };
  },
};

export const threads = [defineThread({ name: "echo", reactor: echo })];

/** Writes down what it sends; it can be told to refuse. */
function logChannel(): Channel & { handler(request: Request): Promise<Response> } {
  let context: ChannelContext | undefined;
  return {
    name: "log",
    async start(given) {
      context = given;
    },
    async stop() {},
    async send({ id, session, text, inReplyTo, failure }: ChannelReply) {
      if (process.env["HEBRA_TEST_REFUSE"] !== undefined)
        throw new HebraError("UNREACHABLE", "The other side wants more time.", {
          details: { retryAfterMs: 3_600_000 },
        });
      note({ event: "sent", id, session, text, inReplyTo, failure, pid: process.pid });
    },
    async handler(request) {
      const message = (await request.json()) as { id: string; chat: string; text: string };
      return new Response(JSON.stringify(await context!.publish(message)), { status: 202 });
    },
  };
}

export const channels = () => [logChannel()];

/** Who may post to `--port`: `HEBRA_TEST_AUTHORIZE=nobody` leaves it out, as an app may. */
export const authorize = process.env["HEBRA_TEST_AUTHORIZE"] === "nobody" ? undefined : "everybody";

const every = process.env["HEBRA_TEST_JOB_MS"];

export const jobs: readonly Job[] =
  every === undefined
    ? []
    : [{ id: "beat", everyMs: Number(every), missed: "all", message: { session: "beats", text: "beat" } }];

/** An old engine whose answers are in a file, one a line: shared by all processes. */
const oldLog = process.env["HEBRA_TEST_OLD"];
const oldLines = () =>
  readFileSync(oldLog!, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { session: string; text: string });

export const legacy: LegacyEngine | undefined =
  oldLog === undefined
    ? undefined
    : {
        async answer({ session, text = "" }) {
          const before = oldLines().filter((line) => line.session === session).length;
          appendFileSync(oldLog, `${JSON.stringify({ session, text })}\n`);
          return { status: "ok", texts: [`old ${before}: ${text}`], calls: [] };
        },
        async handBack({ tenant, session, store }) {
          const { context_events: events } = await handover(store, { tenant, key: session });
          for (const { id } of events) appendFileSync(oldLog, `${JSON.stringify({ session, text: id })}\n`);
        },
        async catchUp() {},
      };
