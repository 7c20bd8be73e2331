import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import { describe, test } from "vitest";
import { setUp } from "./http.fixture.ts";
import * as answers from "./schemas.ts";

const key = "ana%3A1";
const user = "acme-user";

describe("what is refused", () => {
  test("is named by status and code, whatever is malformed", async () => {
    const { handler, close } = await setUp("memory", { limits: { bodyBytes: 1_000, parts: 2 } });
    const authorization = "Bearer acme-user";
    const messages = `/threads/${key}/messages`;
    const jsonType = { "content-type": "application/json" };
    const cases: [status: number, path: string, init?: RequestInit][] = [
      [404, "/"],
      [404, "/thread"],
      [404, "/threads/"],
      [404, "/threads/a/b/c"],
      [405, "/threads", { method: "PUT" }],
      [405, messages],
      [400, "/threads/%E0%A4%A"],
      [400, "/threads/ana%3A%00"],
      [400, `/threads/ana%3A${"x".repeat(600)}`],
      [400, `/threads/${key}/items?limit=0`],
      [400, `/threads/${key}/items?limit=1e3`],
      [400, `/threads/${key}/items?limit=1&limit=2`],
      [400, `/threads/${key}/events?after=-1`],
      [400, "/threads?cursor=nonsense"],
      [415, messages, { method: "POST", body: "{}" }],
      [415, messages, { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" }],
      [400, messages, { method: "POST", headers: jsonType }],
      [400, messages, { method: "POST", headers: jsonType, body: "{" }],
      [400, messages, { method: "POST", headers: jsonType, body: "[]" }],
      [400, messages, { method: "POST", headers: jsonType, body: '{"id":"a"}' }],
      [400, messages, { method: "POST", headers: jsonType, body: '{"id":"a","text":"b","role":"system"}' }],
      [400, messages, { method: "POST", headers: jsonType, body: '{"id":"a","text":"b","thread":"other"}' }],
      [400, messages, { method: "POST", headers: jsonType, body: '{"id":"a\\u0000","text":"b"}' }],
      [
        400,
        messages,
        { method: "POST", headers: jsonType, body: `{"id":"a","metadata":${'{"a":'.repeat(70)}1${"}".repeat(70)}}` },
      ],
      [
        400,
        messages,
        {
          method: "POST",
          headers: jsonType,
          body: '{"id":"a","parts":[{"kind":"text","text":"a"},{"kind":"text","text":"a"},{"kind":"text","text":"a"}]}',
        },
      ],
      [
        413,
        messages,
        { method: "POST", headers: jsonType, body: JSON.stringify({ id: "a", text: "x".repeat(2_000) }) },
      ],
      [400, `/threads/${key}/fork`, { method: "POST", headers: jsonType, body: "{}" }],
      [403, "/approvals/none", { method: "POST", headers: jsonType, body: '{"decision":"approved"}' }],
    ];
    for (const [status, path, { headers, ...init } = {}] of cases) {
      const response = await handler(
        new Request(`http://localhost${path}`, {
          ...init,
          headers: { ...(headers as Record<string, string>), authorization },
        }),
      );
      const text = await response.text();
      assert.equal(response.status, status, `${init.method ?? "GET"} ${path}: ${text}`);
      const problem = answers.problemAnswer.strict().parse(JSON.parse(text));
      assert.equal(problem.status, status);
      if (status === 405) assert.ok(response.headers.get("allow"));
    }
    await close();
  });

  test("is read no further than the limit", async () => {
    const { handler, close } = await setUp("memory", { limits: { bodyBytes: 1_000 } });
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>(
      { pull: (controller) => void (pulled++, controller.enqueue(new Uint8Array(500).fill(32))) },
      { highWaterMark: 0 },
    );
    const response = await handler(
      new Request(`http://localhost/threads/${key}/messages`, {
        method: "POST",
        headers: { authorization: "Bearer acme-user", "content-type": "application/json" },
        body,
        duplex: "half",
      } as RequestInit),
    );
    assert.equal(response.status, 413);
    assert.ok(pulled <= 4, `${pulled} chunks`);
    await close();
  });

  test("shows nothing of a failure of the server", async () => {
    const secret = "postgres://admin:hunter2@db.internal/app";
    for (const [failure, status] of [
      [new HebraError("STORE_FAILED", `connect ${secret}`), 503],
      [new Error(secret), 500],
    ] as const) {
      const { send, store, close } = await setUp("memory");
      const load = store.load;
      store.load = () => Promise.reject(failure);
      const answer = await send(user, "GET", `/threads/${key}`);
      assert.equal(answer.status, status);
      assert.ok(!answer.text.includes("hunter2"), answer.text);
      store.load = load;
      await close();
    }
  });

  test("is a handler without `authorize`, and who is elsewhere when everybody is let in", async () => {
    await assert.rejects(setUp("memory", { authorize: undefined as never }), { code: "INVALID_OPTIONS" });
    const { handler, close } = await setUp("memory", { authorize: "everybody" });
    const at = async (host: string) => (await handler(new Request(`http://${host}/threads`))).status;
    assert.deepEqual([await at("localhost:3000"), await at("127.0.0.1"), await at("[::1]")], [200, 200, 200]);
    assert.deepEqual(
      [await at("app.example"), await at("10.0.0.1"), await at("localhost.evil.example")],
      [403, 403, 403],
    );
    await close();
  });

  test("is one stream more than a caller may have, until one is closed", async () => {
    const { handler, send, close } = await setUp("memory", { limits: { streamsPerCaller: 1 } });
    await send(user, "POST", `/threads/${key}/messages?wait=5000`, { id: "m1", text: "refund" });
    const open = () =>
      handler(new Request(`http://localhost/threads/${key}/events`, { headers: { authorization: `Bearer ${user}` } }));
    const first = await open();
    const second = await open();
    assert.deepEqual([first.status, second.status], [200, 429]);
    await first.body!.cancel();
    const third = await open();
    assert.equal(third.status, 200);
    await third.text();
    assert.equal((await open()).status, 200);
    await close();
  });
});
