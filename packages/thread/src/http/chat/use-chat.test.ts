import assert from "node:assert/strict";
import { afterEach, test } from "vitest";
import * as z from "zod";
import { lastAssistantMessageIsCompleteWithApprovalResponses, lastAssistantMessageIsCompleteWithToolCalls } from "ai";
import { scriptedReactor, type Reactor, type ReactorEvent } from "@hebra/reactor";
import { defineAction } from "../../definition/define-action.ts";
import { defineThread } from "../../definition/define-thread.ts";
import { setUp, callers } from "../http.fixture.ts";
import type { ThreadHandlerOptions } from "../options.ts";
import { openChat, serve } from "./use-chat.fixture.ts";

const owner = "acme-operator";
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

/** A page with `useChat` that talks to an engine over HTTP. */
async function page(definition: Parameters<typeof setUp>[2], over: Partial<ThreadHandlerOptions> = {}) {
  const host = await setUp("memory", over, definition);
  const server = await serve(host.handler);
  open.push(async () => {
    await server.close();
    await host.close();
  });
  return {
    ...host,
    url: server.url,
    async chat(options: Partial<Parameters<typeof openChat>[2]> = {}) {
      const chat = await openChat(server.url, owner, { id: "customer-7", ...options });
      open.push(chat.close);
      return chat;
    },
  };
}

const finish: ReactorEvent[] = [
  { type: "usage", usage: { inputTokens: 1, outputTokens: 1 } },
  { type: "finish", reason: "stop" },
];
const said = (...texts: string[]): ReactorEvent[] => [
  { type: "part-start", partId: "t", kind: "text" },
  ...texts.map((delta): ReactorEvent => ({ type: "part-delta", partId: "t", delta })),
  { type: "part-end", partId: "t" },
];

/** Answers with the given events, an answer a call. */
function eventsReactor(...answers: (ReactorEvent[] | ((input: Parameters<Reactor["react"]>[0]) => ReactorEvent[]))[]) {
  let call = 0;
  const reactor: Reactor = {
    name: "events",
    contract: "reactor-v1",
    async *react(input) {
      const next = answers[Math.min(call++, answers.length - 1)]!;
      yield* typeof next === "function" ? next(input) : next;
    },
  };
  return reactor;
}

const desk = (reactor: Reactor, actions = {}) => defineThread({ name: "desk", reactor, actions });
const textsOf = (message: { parts: readonly { type: string }[] } | undefined) =>
  (message?.parts ?? []).flatMap((part) => (part.type === "text" ? [(part as { text?: string }).text] : []));
const kindsOf = (message: { parts: readonly { type: string }[] } | undefined) =>
  (message?.parts ?? []).map(({ type }) => type);

test("useChat shows text, reasoning, sources, files, data parts and a tool that the provider ran", async () => {
  const { chat } = await page(
    desk(
      eventsReactor([
        { type: "part-start", partId: "r", kind: "reasoning" },
        { type: "part-delta", partId: "r", delta: "Hm." },
        { type: "part-end", partId: "r" },
        { type: "action-request", callId: "s-1", name: "search", input: { q: "lamp" }, ownedByReactor: true },
        { type: "action-result", callId: "s-1", status: "succeeded", output: { hits: 1 } },
        { type: "part", partId: "s", part: { kind: "source", id: "w", url: "https://example.com/", title: "Lamps" } },
        {
          type: "part",
          partId: "f",
          part: { kind: "file", mediaType: "image/png", url: "data:image/png;base64,AA==" },
        },
        { type: "part", partId: "d", part: { kind: "data", name: "weather", data: { celsius: 21 } } },
        ...said("A lamp ", "is there."),
        ...finish,
      ]),
    ),
  );
  const ui = await chat();
  await ui.chat.sendMessage({ text: "Is there a lamp?" });
  const { messages } = await ui.ready(({ messages: all }) => all.length === 2);
  const answer = messages[1]!;
  assert.deepEqual(kindsOf(answer), [
    "step-start",
    "reasoning",
    "tool-search",
    "source-url",
    "file",
    "data-weather",
    "text",
  ]);
  assert.deepEqual(textsOf(answer), ["A lamp is there."]);
  const tool = answer.parts[2] as unknown as Record<string, unknown>;
  assert.deepEqual([tool["state"], tool["output"], tool["providerExecuted"]], ["output-available", { hits: 1 }, true]);
  assert.deepEqual(ui.seen.problems, []);
  // The words come as the model says them, not once at the end.
  assert.deepEqual(
    ui.seen.chunks.flatMap((chunk) => (chunk.type === "text-delta" ? [chunk["delta"]] : [])),
    ["A lamp ", "is there."],
  );
});

const order = { order: "A-7" };
const refund = defineAction({
  description: "Pays an order back.",
  input: z.object({ order: z.string() }),
  approval: { reason: "Refunds need consent." },
  execute: (input) => ({ refunded: input.order }),
});

test.each([
  [true, "output-available", "It is paid back."],
  [false, "output-denied", "Then not."],
])("useChat asks for consent and goes on with the same message: %s [NC-1]", async (approved, state, words) => {
  const { chat } = await page(
    desk(
      scriptedReactor({
        steps: [{ actions: [{ name: "refund", input: order }] }, { text: approved ? "It is paid back." : "Then not." }],
      }),
      { refund },
    ),
  );
  const ui = await chat({ sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses });
  await ui.chat.sendMessage({ text: "Refund A-7" });
  const waiting = await ui.ready(({ messages }) => messages.length === 2);
  const part = waiting.messages[1]!.parts.find(({ type }) => type === "tool-refund") as unknown as {
    state: string;
    approval: { id: string };
  };
  assert.equal(part.state, "approval-requested");
  await ui.chat.addToolApprovalResponse({ id: part.approval.id, approved });
  const { messages } = await ui.ready(({ messages: all }) => textsOf(all[1]).length > 0);
  assert.equal(messages.length, 2);
  assert.deepEqual(textsOf(messages[1]), [words]);
  const settled = messages[1]!.parts.filter(({ type }) => type === "tool-refund") as unknown as { state: string }[];
  assert.deepEqual(
    settled.map((one) => one.state),
    [state],
  );
  assert.deepEqual(ui.seen.problems, []);
});

test("useChat gives the result of a client-side tool with addToolOutput, and the turn goes on", async () => {
  const { chat, store } = await page(
    desk(scriptedReactor({ steps: [{ actions: [{ name: "locate", input: {} }] }, { text: "You are in Rome." }] }), {
      locate: { description: "Asks the browser.", inputSchema: z.object({}) },
    }),
    // The browser of somebody who may not decide gives its own results.
    { authorize: () => ({ ...callers[owner]!, can: ["read", "write"] }) },
  );
  const ui = await chat({ sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls });
  await ui.chat.sendMessage({ text: "Where am I?" });
  const waiting = await ui.ready(({ messages }) => messages.length === 2);
  const part = waiting.messages[1]!.parts.find(({ type }) => type === "tool-locate") as unknown as {
    state: string;
    toolCallId: string;
  };
  assert.equal(part.state, "input-available");
  await ui.chat.addToolOutput({ tool: "locate", toolCallId: part.toolCallId, output: { city: "Rome" } });
  const { messages } = await ui.ready(({ messages: all }) => textsOf(all[1]).length > 0);
  assert.deepEqual(textsOf(messages[1]), ["You are in Rome."]);
  const { execution } = (await store
    .history("acme", (await store.load("acme", { key: "customer-7" }))!.context.id, {
      limit: 1,
    })
    .then(async ([entry]) => store.execution("acme", entry!.item.executionId!)))!;
  assert.equal(execution.status, "completed");
  // One message, two requests: nothing is sent again once the turn has ended.
  assert.equal(ui.seen.chunks.filter(({ type }) => type === "start").length, 2);
  assert.deepEqual(ui.seen.problems, []);
});

test("a tool that runs on the server is shown with its input and its output", async () => {
  const look = defineAction({ description: "Looks.", input: z.object({}), execute: () => "a lamp" });
  const { chat } = await page(
    desk(scriptedReactor({ steps: [{ actions: [{ name: "look", input: {} }] }, { text: "A lamp." }] }), { look }),
  );
  const ui = await chat({ sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls });
  await ui.chat.sendMessage({ text: "Look" });
  const { messages } = await ui.ready(({ messages: all }) => textsOf(all[1]).length > 0);
  assert.deepEqual(kindsOf(messages[1]), ["step-start", "tool-look", "step-start", "text"]);
  const types = ui.seen.chunks.map(({ type }) => type);
  assert.ok(types.indexOf("tool-output-available") < types.indexOf("finish-step"), types.join());
});

test("a turn that fails is an error of useChat", async () => {
  const { chat } = await page(
    desk(
      eventsReactor(() => {
        throw new Error("The lamp is out.");
      }),
    ),
  );
  const ui = await chat();
  await ui.chat.sendMessage({ text: "Hi" });
  const { status, error } = await ui.ready();
  assert.equal(status, "error");
  assert.match(error!.message, /lamp is out/);
  assert.deepEqual(ui.seen.problems, []);
});

/** Says a word, and the rest once it may. */
function slow() {
  let go = () => {};
  const allowed = new Promise<void>((resolve) => (go = resolve));
  const reactor: Reactor = {
    name: "slow",
    contract: "reactor-v1",
    async *react({ signal }) {
      const [start, first, rest, end] = said("One ", "two.");
      yield start!;
      yield first!;
      await Promise.race([allowed, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
      yield rest!;
      yield end!;
      yield* finish;
    },
  };
  return { reactor, go };
}

test("stop leaves the turn running, and a reload resumes it from its first word", async () => {
  const { reactor, go } = slow();
  const { chat, url } = await page(desk(reactor));
  const first = await chat();
  void first.chat.sendMessage({ text: "Count" });
  await first.until(({ messages }) => textsOf(messages[1]).join("") === "One ");
  await first.chat.stop();
  const headers = { authorization: `Bearer ${owner}` };
  const loaded = (await (await fetch(`${url}/chat/customer-7`, { headers })).json()) as { messages: never[] };
  assert.equal(loaded.messages.length, 1);
  const second = await chat({ messages: loaded.messages, resume: true });
  await second.until(({ messages }) => textsOf(messages[1]).join("") === "One ");
  go();
  const { messages } = await second.ready(({ messages: all }) => textsOf(all[1]).join("") === "One two.");
  assert.equal(messages.length, 2);
  assert.deepEqual(second.seen.problems, []);
});

test('stop cancels the turn where `onChatLeft` is "cancel"', async () => {
  const { reactor } = slow();
  const { chat, engine, store } = await page(desk(reactor), { onChatLeft: "cancel" });
  const ui = await chat();
  void ui.chat.sendMessage({ text: "Count" });
  await ui.until(({ messages }) => textsOf(messages[1]).join("") === "One ");
  const { active } = (await store.load("acme", { key: "customer-7" }))!;
  const ended = (await engine.follow(active!.execution.id, { tenant: "acme" })).result;
  await ui.chat.stop();
  assert.equal((await ended).status, "cancelled");
});

test("a page that loads after the turn has ended has its messages, and nothing to resume [NC-2]", async () => {
  const { chat, url, engine } = await page(desk(scriptedReactor({ steps: [{ text: "Hello." }] })));
  const first = await chat();
  await first.chat.sendMessage({ text: "Hi" });
  const before = (await first.ready(({ messages }) => messages.length === 2)).messages;
  await engine.idle();
  const headers = { authorization: `Bearer ${owner}` };
  const { messages } = (await (await fetch(`${url}/chat/customer-7`, { headers })).json()) as { messages: never[] };
  assert.deepEqual(
    (messages as { id: string }[]).map(({ id }) => id),
    before.map(({ id }) => id),
  );
  const second = await chat({ messages, resume: true });
  const { messages: after } = await second.ready(({ messages: all }) => all.length === 2);
  assert.deepEqual(textsOf(after[1]), ["Hello."]);
});

test("regenerate asks again without the old answer, and an edited message replaces what came after it", async () => {
  const shown: string[][] = [];
  const reactor = scriptedReactor({
    steps: ({ transcript }) => {
      shown.push(transcript.map(({ parts }) => parts.map((part) => ("text" in part ? part.text : "")).join("")));
      return [{ text: `Answer ${shown.length}.` }];
    },
    repeatLast: true,
  });
  const { chat, url } = await page(desk(reactor));
  const ui = await chat();
  await ui.chat.sendMessage({ text: "First?" });
  await ui.ready(({ messages }) => messages.length === 2);
  await ui.chat.regenerate();
  await ui.ready(({ messages }) => textsOf(messages[1])[0] === "Answer 2.");
  await ui.chat.regenerate();
  const again = await ui.ready(({ messages }) => textsOf(messages[1])[0] === "Answer 3.");
  const question = again.messages[0]!.id;
  await ui.chat.sendMessage({ text: "And second?" });
  await ui.ready(({ messages }) => messages.length === 4);
  await ui.chat.sendMessage({ text: "Instead?", messageId: question });
  const { messages } = await ui.ready(({ messages: all }) => textsOf(all[1])[0] === "Answer 5.");
  assert.deepEqual(messages.map(textsOf), [["Instead?"], ["Answer 5."]]);
  assert.deepEqual(shown, [["First?"], ["First?"], ["First?"], ["First?", "Answer 3.", "And second?"], ["Instead?"]]);
  const headers = { authorization: `Bearer ${owner}` };
  const loaded = (await (await fetch(`${url}/chat/customer-7`, { headers })).json()) as { messages: typeof messages };
  assert.deepEqual(loaded.messages.map(textsOf), [["Instead?"], ["Answer 5."]]);
});
