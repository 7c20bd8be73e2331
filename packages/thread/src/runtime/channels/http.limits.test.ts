import assert from "node:assert/strict";
import { afterEach, describe, test } from "vitest";
import { memoryStore } from "../../store/memory.ts";
import type { ThreadStore } from "../../store/store.ts";
import { createRuntime, type Runtime } from "../runtime.ts";
import { echoReactor, echoThread, memoryChannel } from "../runtime.fixture.ts";
import { httpChannel, type HttpChannel, type HttpChannelOptions } from "./http.ts";

const open: Runtime[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((runtime) => runtime.close()));
});
async function channel(over: Partial<HttpChannelOptions> = {}): Promise<{
  web: HttpChannel;
  runtime: Runtime;
  store: ThreadStore;
}> {
  const store = memoryStore();
  const runtime = createRuntime({ threads: [echoThread()], store });
  open.push(runtime);
  const web = httpChannel({ authorize: () => ({ chat: "ana" }), ...over });
  await runtime.gateway({ channels: [web] });
  return { web, runtime, store };
}
const asJson = { "content-type": "application/json" };
const post = (web: HttpChannel, body: unknown, headers: Record<string, string> = {}, url = "http://host/messages") =>
  web.handler(
    new Request(url, {
      method: "POST",
      headers: { ...asJson, ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    }),
  );
const depthOf = async (runtime: Runtime) => (await runtime.bus.stats()).inbound.depth;

describe("what the HTTP channel takes", () => {
  test("a message without words and parts is refused before it is accepted, and never becomes a dead letter [SE-6]", async () => {
    const { web, runtime } = await channel({ authorize: () => ({ maySet: ["chat", "thread"] }) });
    const bad = [
      { id: "1" },
      { id: "1", text: "" },
      { id: "1", parts: [] },
      { id: "1", text: "", parts: [] },
      { id: "1", text: "hi", thread: "no-such-definition" },
      { id: "\u0000", text: "hi" },
      { id: "1", text: "\ud800" },
      { id: "1", text: "hi", metadata: { deep: "\udfff" } },
      { id: "1", text: "hi", chat: "a\u0000b" },
      [],
      null,
      "text",
      "{",
    ];
    for (const body of bad) {
      const response = await post(
        web,
        Array.isArray(body) || typeof body !== "object" || body === null ? body : { chat: "ana", ...body },
      );
      assert.equal(response.status, 400, JSON.stringify(body));
    }
    assert.equal(await depthOf(runtime), 0);
    assert.equal((await runtime.bus.stats()).dead, 0);
  });

  test("an empty message is refused on every channel, by the gateway [SE-6]", async () => {
    const memory = memoryChannel();
    const runtime = createRuntime({ threads: [echoThread()], store: memoryStore() });
    open.push(runtime);
    await runtime.gateway({ channels: [memory] });
    await assert.rejects(memory.publish({ id: "1", chat: "7" }), { code: "INVALID_OPTIONS" });
    await assert.rejects(memory.publish({ id: "1", chat: "7", text: "hi", thread: "nobody" }), {
      code: "DEFINITION_MISSING",
    });
    await assert.rejects(memory.publish({ id: "", chat: "7", text: "hi" }), { code: "INVALID_ID" });
    assert.equal((await runtime.bus.stats()).dead, 0);
  });

  test("a body that does not say it is JSON is refused, whatever it holds [SE-8]", async () => {
    const { web, runtime } = await channel();
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "text/json"])
      assert.equal((await post(web, { id: "1", text: "hi" }, { "content-type": type })).status, 415, type);
    assert.equal(await depthOf(runtime), 0);
    for (const type of ["application/json; charset=utf-8", "APPLICATION/JSON", "application/ld+json"])
      assert.equal((await post(web, { id: type, text: "hi" }, { "content-type": type })).status, 202, type);
  });

  test("a request that another site's page sends is refused, unless its origin is named [SE-8]", async () => {
    const { web } = await channel({ origins: ["https://app.example"] });
    const statusOf = async (origin: string, id: string) => (await post(web, { id, text: "hi" }, { origin })).status;
    for (const origin of [
      "https://evil.example",
      "null",
      "http://host.evil.example",
      "https://app.example.evil",
      "http://host:81",
    ])
      assert.equal(await statusOf(origin, origin), 403, origin);
    assert.deepEqual([await statusOf("http://host", "1"), await statusOf("https://app.example", "2")], [202, 202]);
    const stream = (origin: string) =>
      web.handler(new Request("http://host/chats/ana/events", { headers: { origin } }));
    assert.equal((await stream("https://evil.example")).status, 403);
    const own = await stream("https://app.example");
    assert.equal(own.status, 200);
    await own.body!.cancel();
  });

  test("a host that is not one of `hosts` is refused; on loopback a name that was rebound is [SE-8]", async () => {
    const { web } = await channel({ hosts: ["desk.example", "desk.example:8443"] });
    const at = async (to: HttpChannel, origin: string, body: object) =>
      (await post(to, body, {}, `${origin}/messages`)).status;
    assert.equal(await at(web, "http://desk.example", { id: "1", text: "hi" }), 202);
    assert.equal(await at(web, "http://desk.example:8443", { id: "2", text: "hi" }), 202);
    assert.equal(await at(web, "http://rebound.example", { id: "3", text: "hi" }), 403);
    const { web: local } = await channel({ authorize: "everybody" });
    assert.equal(await at(local, "http://rebound.example:8080", { id: "1", chat: "a", text: "hi" }), 403);
    assert.equal(await at(local, "http://127.0.0.1:8080", { id: "1", chat: "a", text: "hi" }), 202);
  });

  test("too many parts, levels or problems are refused quickly and briefly [SE-10]", async () => {
    const { web, runtime } = await channel({ maxParts: 10 });
    const bodies: Record<string, string> = {
      "more parts than may be": JSON.stringify({ id: "1", parts: Array(11).fill({ kind: "text", text: "x" }) }),
      "20,000 parts": JSON.stringify({ id: "1", parts: Array(9_000).fill({ kind: "text" }) }),
      "bad parts in 262 kB": `{"id":"1","parts":[${"[],".repeat(80_000)}0]}`,
      "unknown fields": `{"id":"1","text":"x",${Array.from({ length: 20_000 }, (_, n) => `"f${n}":0`).join(",")}}`,
      "long unknown field": `{"id":"1","text":"x","${"f".repeat(250_000)}":0}`,
      "deep metadata": `{"id":"1","text":"x","metadata":{"a":${"[".repeat(120_000)}${"]".repeat(120_000)}}}`,
      "deep text before any other check": "[".repeat(260_000),
      "a long id": JSON.stringify({ id: "i".repeat(200_000), text: "x" }),
      "a part with many unknown fields": JSON.stringify({
        id: "1",
        parts: [
          { kind: "text", text: "x", ...Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`k${n}`, n])) },
        ],
      }),
    };
    for (const [what, body] of Object.entries(bodies)) {
      const startedAt = performance.now();
      const response = await post(web, body);
      const ms = performance.now() - startedAt;
      const text = await response.text();
      assert.equal(response.status, 400, what);
      assert.ok(text.length <= 1_200, `${what}: ${text.length} characters`);
      // Some milliseconds here; the limit leaves room for a busy machine.
      assert.ok(ms < 1_000, `${what}: ${Math.round(ms)} ms`);
    }
    assert.equal(await depthOf(runtime), 0);
    const allowed = Array(10).fill({ kind: "text", text: "x" });
    assert.equal((await post(web, { id: "2", parts: allowed })).status, 202);
  });

  test("a caller has so many event streams and no more, and a closed one makes room [SE-10]", async () => {
    const { web } = await channel({ authorize: () => ({ maySet: ["chat"] }), maxStreamsPerChat: 2, maxStreams: 3 });
    const events = (chat: string) => web.handler(new Request(`http://host/chats/${chat}/events`));
    const first = [await events("ana"), await events("ana")];
    assert.deepEqual(
      first.map(({ status }) => status),
      [200, 200],
    );
    const refused = await events("ana");
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "5"]);
    const other = await events("ben");
    assert.equal(other.status, 200);
    assert.equal((await events("eve")).status, 429);
    await first[0]!.body!.cancel();
    const again = await events("ana");
    assert.equal(again.status, 200);
    for (const response of [first[1]!, other, again]) await response.body!.cancel();
    assert.equal((await events("eve")).status, 200);
  });

  test("a path or method that is not served is 400, 404 or 405 [BU-11]", async () => {
    const { web } = await channel();
    const statusOf = async (path: string, method = "GET") =>
      (await web.handler(new Request(`http://host${path}`, { method }))).status;
    for (const path of ["/chats/%/events", "/chats/%zz/events", "/chats/%C3/events", "/chats/a%ff/events"])
      assert.equal(await statusOf(path), 400, path);
    for (const method of ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
      assert.equal(await statusOf("/messages", method), 405, method);
    assert.equal(await statusOf("/chats/ana/events", "POST"), 405);
    for (const path of ["/", "/chats//events", "/%", "/chats/a/b/events"])
      assert.equal(await statusOf(path), 404, path);
  });

  test("a body that its sender breaks off is no failure of the server [BU-11]", async () => {
    const { web } = await channel();
    const body = new ReadableStream({
      pull(controller) {
        controller.error(new Error("the connection was lost"));
      },
    });
    const request = new Request("http://host/messages", {
      method: "POST",
      headers: asJson,
      body,
      duplex: "half",
    } as RequestInit);
    assert.equal((await web.handler(request)).status, 400);
  });
});

describe("the id of a message in its conversation", () => {
  test("two chats that share a conversation may both have a message 17 [SE-9]", async () => {
    const reactor = echoReactor();
    const runtime = createRuntime({ threads: [echoThread(reactor)], store: memoryStore() });
    open.push(runtime);
    const memory = memoryChannel();
    await runtime.gateway({ channels: [memory] });
    const said: [chat: string, id: string][] = [
      ["ana", "17"],
      ["ben", "17"],
      ["ben:17", "17"],
      ["ben", "17:17"],
      ["ana\n", "17"],
      ["ana", "\n17"],
      ["ana%0A", "17"],
      ["ana/ben", "17"],
    ];
    for (const [chat, id] of said) {
      const { status } = await memory.publish({ id, chat, session: "team", text: `${chat} ${id}` });
      assert.equal(status, "accepted", `${chat} ${id}`);
    }
    // The conversation of one chat may be shared as well, and its own ids stay what they were.
    assert.equal((await memory.publish({ id: "@memory:ben:17", chat: "ana", text: "own" })).status, "accepted");
    assert.equal(
      (await memory.publish({ id: "17", chat: "ben", session: "memory:ana", text: "guest" })).status,
      "accepted",
    );
    const replies = await memory.received(said.length + 2);
    assert.deepEqual(
      replies.filter(({ session }) => session === "team").map(({ chat, inReplyTo }) => [chat, inReplyTo]),
      said,
    );
    // Each is still known when it comes again.
    for (const [chat, id] of said)
      assert.equal((await memory.publish({ id, chat, session: "team", text: `${chat} ${id}` })).status, "duplicate");
    assert.equal(reactor.asked.length, said.length + 2);
  });

  test("a chat whose name is too long for an id is still told apart [SE-9]", async () => {
    const { web, runtime } = await channel({ authorize: () => ({ session: "team", maySet: ["chat"] }) });
    for (const chat of ["猫".repeat(200), `${"猫".repeat(199)}犬`]) {
      const response = await post(web, { id: "17", chat, text: "hi" }, {}, "http://host/messages?wait=10000");
      assert.deepEqual([response.status, ((await response.json()) as { status: string }).status], [200, "accepted"]);
    }
    assert.equal((await runtime.engine.history({ key: "team" })).length, 4);
  });

  test("a channel whose name could be mistaken for a part of a key is refused [SE-9]", async () => {
    const { runtime } = await channel();
    for (const name of ["a:b", "@a", "a b", "a\n", "", "a/b"])
      await assert.rejects(
        runtime.gateway({ id: "2", channels: [memoryChannel(name)] }),
        { code: "INVALID_OPTIONS" },
        name,
      );
  });
});
