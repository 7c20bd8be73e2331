import assert from "node:assert/strict";
import { afterEach, test } from "vitest";
import { newContainer } from "../http/chat/browser.fixture.ts";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import type { Reactor } from "@hebra/reactor";
import { createThreadClient, type FetchLike } from "../client/index.ts";
import { defineThread } from "../definition/define-thread.ts";
import { setUp } from "../http/http.fixture.ts";
import { useApprovals, useThread, useThreadList } from "./index.ts";

const open: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function connect(definition?: Parameters<typeof setUp>[2]) {
  const host = await setUp("memory", {}, definition);
  open.push(host.close);
  const fetch: FetchLike = (url, init) => host.handler(new Request(url, init as RequestInit)) as ReturnType<FetchLike>;
  const headers = () => ({ authorization: "Bearer acme-operator" });
  return { ...host, client: createThreadClient({ url: "http://localhost", headers, fetch }) };
}

/** A component that keeps what its hook said last, and how often it rendered. */
function mount<T>(hook: () => T) {
  let value: T | undefined;
  let renders = 0;
  const watchers = new Set<() => void>();
  const root = createRoot(newContainer());
  const Page = () => {
    value = hook();
    renders++;
    queueMicrotask(() => {
      for (const watcher of watchers) watcher();
    });
    return null;
  };
  root.render(createElement(Page));
  open.push(() => root.unmount());
  return {
    renders: () => renders,
    until: (holds: (value: T) => boolean) =>
      new Promise<T>((resolve) => {
        const look = () => {
          if (value === undefined || !holds(value)) return;
          watchers.delete(look);
          resolve(value);
        };
        watchers.add(look);
        look();
      }),
  };
}

const DELTAS = 2_000;
const talker: Reactor = {
  contract: "reactor-v1",
  name: "talker",
  async *react() {
    yield { type: "part-start", partId: "t", kind: "text" };
    for (let at = 0; at < DELTAS; at++) {
      if (at % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      yield { type: "part-delta", partId: "t", delta: "x" };
    }
    yield { type: "part-end", partId: "t" };
    yield { type: "usage", usage: { inputTokens: 1, outputTokens: 1 } };
    yield { type: "finish", reason: "stop" };
  },
};

test("two thousand deltas render once a frame, and all of them are there", async () => {
  const { client } = await connect(defineThread({ name: "desk", reactor: talker }));
  const page = mount(() => useThread(client, "ana:1"));
  const { send } = await page.until(() => true);
  const began = performance.now();
  send("Talk");
  const { messages } = await page.until(
    (thread) => thread.messages.length === 2 && thread.messages.every(({ status }) => status === "done"),
  );
  const frames = (performance.now() - began) / 16 + 3;
  assert.equal(messages[1]!.parts[0]!.text!.length, DELTAS);
  assert.ok(page.renders() <= frames, `${page.renders()} renders in ${frames} frames`);
});

test("conversations and approvals are listed, and deciding takes an approval off the list", async () => {
  const { client } = await connect();
  const thread = mount(() => useThread(client, "ana:1"));
  (await thread.until(() => true)).send("refund, please");
  await thread.until(({ status }) => status === "waiting");
  const lists = mount(() => ({ threads: useThreadList(client), approvals: useApprovals(client) }));
  const { approvals } = await lists.until((both) => both.threads.rows.length === 1 && both.approvals.rows.length === 1);
  await approvals.decide(approvals.rows[0]!.id, "denied");
  await lists.until((both) => both.approvals.rows.length === 0);
  const { messages } = await thread.until(({ status }) => status === "idle");
  assert.equal(messages.length, 2);
});

test("a server renders an empty conversation and asks nobody", () => {
  const client = createThreadClient({
    url: "http://localhost",
    fetch: () => assert.fail("a request from the server's rendering"),
  });
  const Page = () => createElement("p", null, useThread(client, "ana:1").status);
  assert.equal(renderToString(createElement(Page)), "<p>idle</p>");
});
