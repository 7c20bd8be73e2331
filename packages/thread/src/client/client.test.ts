import assert from "node:assert/strict";
import { afterEach, test } from "vitest";
import type { Reactor } from "@hebra/reactor";
import { defineThread } from "../definition/define-thread.ts";
import { setUp } from "../http/http.fixture.ts";
import {
  createThreadClient,
  type ClientThread,
  type FetchLike,
  type Snapshot,
  type ThreadClientOptions,
} from "./index.ts";

const open: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

/** A client whose requests reach a handler without a network. */
async function connect(over: Partial<ThreadClientOptions> = {}, definition?: Parameters<typeof setUp>[2]) {
  const host = await setUp("memory", {}, definition);
  open.push(host.close);
  const direct: FetchLike = (url, init) => host.handler(new Request(url, init as RequestInit)) as ReturnType<FetchLike>;
  const client = createThreadClient({
    url: "http://localhost",
    headers: () => ({ authorization: "Bearer acme-operator" }),
    fetch: direct,
    timer: (_ms, callback) => {
      const handle = setTimeout(callback, 1);
      return () => clearTimeout(handle);
    },
    ...over,
  });
  return { ...host, client, direct };
}

/** Listens until something holds. */
function until(thread: ClientThread, holds: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
  return new Promise((resolve) => {
    const look = () => {
      if (!holds(thread.getSnapshot())) return;
      queueMicrotask(() => stop());
      resolve(thread.getSnapshot());
    };
    const stop = thread.subscribe(look);
    look();
  });
}

const words = (snapshot: Snapshot) =>
  snapshot.messages.map(({ parts }) => parts.map((part) => (part.kind === "text" ? part.text : "")).join(""));
const isDone = (count: number) => (snapshot: Snapshot) =>
  snapshot.messages.length === count && snapshot.messages.every(({ status }) => status === "done");

test("a message is shown at once, its answer comes, and a reload shows the same", async () => {
  const { client, direct } = await connect();
  const thread = client.thread("ana:1");
  open.push(thread.subscribe(() => {}));
  const id = thread.send("Hi");
  const first = await until(thread, ({ messages }) => messages.length > 0);
  assert.equal(first.messages[0]!.id, id);
  const done = await until(thread, isDone(2));
  assert.deepEqual(words(done), ["Hi", "You said: Hi"]);
  const again = createThreadClient({
    url: "http://localhost",
    headers: () => ({ authorization: "Bearer acme-operator" }),
    fetch: direct,
  }).thread("ana:1");
  const loaded = await until(again, isDone(2));
  assert.deepEqual(
    loaded.messages.map((message) => [message.id, message.role]),
    done.messages.map((message) => [message.id, message.role]),
  );
});

test("an approval is shown, decided, and the turn goes on", async () => {
  const { client } = await connect();
  const thread = client.thread("ana:1");
  open.push(thread.subscribe(() => {}));
  thread.send("refund, please");
  const { approvals } = await until(thread, ({ status }) => status === "waiting");
  assert.deepEqual(
    (await client.approvals()).approvals.map(({ id }) => id),
    [approvals[0]!.id],
  );
  await thread.decide(approvals[0]!.id, "approved");
  const done = await until(thread, isDone(2));
  assert.match(words(done)[1]!, /You said: refund/);
});

const long = Array.from({ length: 20 }, (_, at) => `w${at} `);
const talker: Reactor = {
  contract: "reactor-v1",
  name: "talker",
  async *react() {
    yield { type: "part-start", partId: "t", kind: "text" };
    for (const delta of long) {
      await new Promise((resolve) => setImmediate(resolve));
      yield { type: "part-delta", partId: "t", delta };
    }
    yield { type: "part-end", partId: "t" };
    yield { type: "usage", usage: { inputTokens: 1, outputTokens: 1 } };
    yield { type: "finish", reason: "stop" };
  },
};

test("a stream that breaks off after every few bytes loses no word and doubles none", async () => {
  const reach: { direct?: FetchLike } = {};
  const torn: FetchLike = async (url, init) => {
    const response = (await reach.direct!(url, init)) as unknown as Response;
    if (!url.includes("/events") || response.body === null) return response as never;
    const [part] = response.body.tee();
    let left = 2;
    const cut = part.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => (left-- > 0 ? controller.enqueue(chunk) : controller.error(new Error("cut"))),
      }),
    );
    return new Response(cut, { status: response.status }) as never;
  };
  const definition = defineThread({ name: "desk", reactor: talker });
  const host = await connect({ fetch: torn }, definition);
  reach.direct = host.direct;
  const thread = host.client.thread("ana:1");
  const seen: string[] = [];
  open.push(thread.subscribe(() => seen.push(words(thread.getSnapshot())[1] ?? "")));
  thread.send("Talk");
  const done = await until(thread, isDone(2));
  assert.equal(words(done)[1], long.join(""));
  for (const text of seen) assert.ok(long.join("").startsWith(text), text);
});

test("messages written while the server is away wait, and are sent once and in order", async () => {
  const reach: { direct?: FetchLike } = {};
  let away = true;
  let lost = 0;
  const flaky: FetchLike = async (url, init) => {
    if (init.method === "POST" && away) {
      // The second time it is the answer alone that is lost.
      if (lost++ === 1) await reach.direct!(url, init);
      throw new Error("no network");
    }
    return reach.direct!(url, init);
  };
  const host = await connect({ fetch: flaky });
  reach.direct = host.direct;
  const thread = host.client.thread("ana:1");
  open.push(thread.subscribe(() => {}));
  thread.send("one");
  thread.send("two");
  await until(thread, ({ status }) => status === "offline" && lost > 2);
  away = false;
  const done = await until(thread, isDone(4));
  assert.deepEqual(words(done), ["one", "You said: one", "two", "You said: two"]);
});

test("without streams answers are waited for", async () => {
  const { client } = await connect({ stream: false });
  const thread = client.thread("ana:1");
  open.push(thread.subscribe(() => {}));
  thread.send("Hi");
  assert.deepEqual(words(await until(thread, isDone(2))), ["Hi", "You said: Hi"]);
});
