import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test } from "vitest";
import { defineThread, type AnyThreadDefinition } from "../definition/define-thread.ts";
import { gatedReactor } from "../engine/engine.fixture.ts";
import { eventsOf, setUp } from "./http.fixture.ts";
import { nodeListener } from "./node-listener.ts";
import type { ThreadHandlerOptions } from "./options.ts";
import { acceptedAnswer, problemAnswer, resultAnswer } from "./schemas.ts";

async function listen(over: Partial<ThreadHandlerOptions> = {}, definition?: AnyThreadDefinition) {
  const host = await setUp("sqlite", over, definition);
  const server = createServer(nodeListener(host.handler));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    ...host,
    port,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await host.close();
    },
  };
}

const headers = { authorization: "Bearer acme-user", "content-type": "application/json" };

/** What a server answers to bytes that no client library would send. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  let answer = "";
  for await (const chunk of socket) {
    answer += String(chunk);
    if (answer.includes("\r\n\r\n")) break;
  }
  return answer;
}

test("a server of Node takes messages and streams turns to fetch", async () => {
  const { url, stop } = await listen();
  const messages = `${url}/threads/ana%3A1/messages`;
  const streamed = await fetch(messages, {
    method: "POST",
    headers: { ...headers, accept: "text/event-stream" },
    body: JSON.stringify({ id: "m1", text: "Grüße" }),
  });
  const events = eventsOf(await streamed.text());
  const accepted = acceptedAnswer.parse(events[0]!.data);
  assert.equal(events.at(-1)!.event, "execution-ended");
  const again = await fetch(`${messages}?wait=5000`, {
    method: "POST",
    headers,
    body: JSON.stringify({ id: "m1", text: "Grüße" }),
  });
  const { executionId, result } = resultAnswer.parse(await again.json());
  assert.deepEqual([executionId, result.text], [accepted.executionId, "You said: Grüße"]);
  const read = await fetch(`${url}/threads/ana%3A1/events?executionId=${executionId}`, { headers });
  assert.equal(eventsOf(await read.text()).at(-1)!.event, "execution-ended");
  await stop();
});

test("words arrive while the turn still runs", async () => {
  const gate = gatedReactor("first words");
  const { url, stop } = await listen({}, defineThread({ name: "desk", reactor: gate.reactor }));
  const response = await fetch(`${url}/threads/ana%3A1/messages`, {
    method: "POST",
    headers: { ...headers, accept: "text/event-stream" },
    body: JSON.stringify({ id: "m1", text: "Hi" }),
  });
  let text = "";
  let opened = false;
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (opened || !text.includes("first words")) continue;
    opened = true;
    gate.open();
  }
  assert.ok(opened);
  assert.ok(
    eventsOf(text).some(({ event, data }) => event === "part-delta" && JSON.stringify(data).includes("first words")),
  );
  assert.equal(eventsOf(text).at(-1)!.event, "execution-ended");
  await stop();
});

test("an open stream ends with `stream-closed` when the engine closes", async () => {
  const { url, engine, store, stop } = await listen();
  const queued = await engine.enqueue("desk", { id: "m1", text: "Hi" }, { address: { tenant: "acme", key: "ana:1" } });
  queued.result.catch(() => undefined);
  const response = await fetch(`${url}/threads/ana%3A1/events`, { headers });
  assert.equal(response.status, 200);
  const text = response.text();
  await engine.close();
  assert.equal(eventsOf(await text).at(-1)!.event, "stream-closed");
  assert.ok(await store.load("acme", { key: "ana:1" }));
  await stop();
});

test("a client that leaves gives its stream back", async () => {
  const { url, engine, stop } = await listen({ limits: { streams: 1 } });
  const queued = await engine.enqueue("desk", { id: "m1", text: "Hi" }, { address: { tenant: "acme", key: "ana:1" } });
  queued.result.catch(() => undefined);
  const open = (signal?: AbortSignal) =>
    fetch(`${url}/threads/ana%3A1/events`, { headers, ...(signal === undefined ? {} : { signal }) });
  const leaving = new AbortController();
  assert.equal((await open(leaving.signal)).status, 200);
  assert.equal((await open()).status, 429);
  leaving.abort();
  for (let status = 429; status !== 200;) {
    const response = await open();
    status = response.status;
    await response.body!.cancel();
  }
  await stop();
});

test("a body over the limit is answered, with and without its length", async () => {
  const { url, stop } = await listen({ limits: { bodyBytes: 1_000 } });
  const messages = `${url}/threads/ana%3A1/messages`;
  const large = "x".repeat(200_000);
  const declared = await fetch(messages, { method: "POST", headers, body: large });
  assert.equal(declared.status, 413);
  problemAnswer.parse(await declared.json());
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => void controller.enqueue(new TextEncoder().encode(large)),
  });
  const endless = await fetch(messages, { method: "POST", headers, body, duplex: "half" } as RequestInit);
  assert.equal(endless.status, 413);
  problemAnswer.parse(await endless.json());
  await stop();
});

test("what is no request of the Fetch standard is refused, and the server goes on", async () => {
  const { url, port, stop } = await listen({ authorize: "everybody" });
  const malformed = ["GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n"];
  for (const text of malformed) assert.match(await raw(port, text), /^HTTP\/1\.1 400 /);
  assert.match(await raw(port, "GET /threads HTTP/1.1\r\nHost: app.example\r\n\r\n"), /^HTTP\/1\.1 403 /);
  assert.match(
    await raw(port, "GET http://localhost/threads HTTP/1.1\r\nHost: app.example\r\n\r\n"),
    /^HTTP\/1\.1 40[34] /,
  );
  assert.equal((await fetch(`${url}/threads`)).status, 200);
  await stop();
});
