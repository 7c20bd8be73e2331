import assert from "node:assert/strict";
import { describe, expect, test } from "vitest";
import type * as z from "zod";
import { eventsOf, setUp, stores } from "./http.fixture.ts";
import * as answers from "./schemas.ts";

const key = "ana%3A1";
const user = "acme-user";

/** The answer as its schema describes it. A member that the schema does not name fails. */
function read<S extends z.ZodObject>(
  schema: S,
  { body, status, text }: { body: unknown; status: number; text: string },
  wanted = 200,
) {
  assert.equal(status, wanted, text);
  return schema.strict().parse(body) as z.output<S>;
}
const problemOf = (answer: { body: unknown; header: (name: string) => string | null }) => {
  assert.equal(answer.header("content-type"), "application/problem+json");
  return answers.problemAnswer.strict().parse(answer.body);
};

describe.each(Object.keys(stores))("over %s", (name) => {
  test("a message is answered with ids, and with the result to who waits [NC-2]", async () => {
    const { send, engine, close } = await setUp(name);
    const first = read(
      answers.acceptedAnswer,
      await send(user, "POST", `/threads/${key}/messages`, { id: "m1", text: "Hi" }),
      202,
    );
    assert.equal(first.threadKey, "ana:1");
    await engine.idle();
    const again = read(
      answers.resultAnswer,
      await send(user, "POST", `/threads/${key}/messages?wait=5000`, { id: "m1", text: "Hi" }),
    );
    assert.equal(again.executionId, first.executionId);
    assert.equal(again.duplicate, true);
    assert.equal(again.result.text, "You said: Hi");
    const other = await send(user, "POST", `/threads/${key}/messages`, { id: "m1", text: "Bye" });
    assert.equal(other.status, 409);
    assert.equal(problemOf(other).code, "TRIGGER_MISMATCH");
    await close();
  });

  test("who waits is told that the turn waits, and for which approvals [NC-1]", async () => {
    const { send, engine, close } = await setUp(name);
    const { result } = read(
      answers.resultAnswer,
      await send(user, "POST", `/threads/${key}/messages?wait=5000`, { id: "m1", text: "refund, please" }),
    );
    assert.equal(result.status, "waiting");
    assert.deepEqual(
      result.approvals.map(({ call, reason, asks }) => [call?.name, call?.input, reason, asks]),
      [["refund", { order: "A-7" }, "Refunds need consent.", "consent"]],
    );
    const stream = await send(user, "GET", `/threads/${key}/events`);
    const last = eventsOf(stream.text).at(-1)!;
    assert.equal(last.event, "execution-waiting");

    const listed = read(answers.approvalsAnswer, await send("acme-clerk", "GET", "/approvals"));
    assert.deepEqual(
      listed.approvals.map(({ id, threadKey }) => [id, threadKey]),
      [[result.approvals[0]!.id, "ana:1"]],
    );
    assert.deepEqual(read(answers.approvalsAnswer, await send("blue-clerk", "GET", "/approvals")).approvals, []);

    const path = `/approvals/${result.approvals[0]!.id}`;
    const decision = { decision: "approved", input: { order: "A-8" }, comment: "Fine." };
    const decided = read(answers.approvalAnswer, await send("acme-clerk", "POST", path, decision));
    assert.deepEqual([decided.status, decided.decidedBy, decided.comment], ["approved", "carl", "Fine."]);
    await engine.idle();
    const other = await send("acme-clerk", "POST", path, { decision: "denied" });
    assert.deepEqual([other.status, problemOf(other).code], [409, "APPROVAL_DECIDED"]);
    const items = read(answers.itemsAnswer, await send(user, "GET", `/threads/${key}/items`)).items;
    const action = items.flatMap(({ parts }) => parts).find(({ kind }) => kind === "action");
    assert.deepEqual(action?.["output"], { refunded: "A-8" });
    await close();
  });

  test("an approval can be denied, and is refused an input that does not fit [NC-2]", async () => {
    const { send, engine, close } = await setUp(name);
    const { result } = read(
      answers.resultAnswer,
      await send(user, "POST", `/threads/${key}/messages?wait=5000`, { id: "m1", text: "refund" }),
    );
    const path = `/approvals/${result.approvals[0]!.id}`;
    const wrong = await send("acme-clerk", "POST", path, { decision: "approved", input: { order: 7 } });
    assert.deepEqual([wrong.status, problemOf(wrong).code], [422, "ACTION_INPUT_INVALID"]);
    const both = await send("acme-clerk", "POST", path, { decision: "denied", input: {} });
    assert.equal(both.status, 400);
    const denied = read(answers.approvalAnswer, await send("acme-clerk", "POST", path, { decision: "denied" }));
    assert.equal(denied.status, "denied");
    await engine.idle();
    const thread = read(answers.threadAnswer, await send(user, "GET", `/threads/${key}`));
    assert.deepEqual([thread.status, thread.active, thread.approvals], ["open", null, []]);
    await close();
  });

  test("conversations are listed and histories are read in pages, both ways [NC-2]", async () => {
    const { send, close } = await setUp(name);
    for (const one of ["ana%3A1", "ana%3A2", "shared"])
      for (const id of ["a", "b", "c"])
        read(answers.resultAnswer, await send(user, "POST", `/threads/${one}/messages?wait=5000`, { id, text: id }));
    read(
      answers.acceptedAnswer,
      await send("acme-operator", "POST", "/threads/other/messages", { id: "a", text: "a" }),
      202,
    );
    const keys: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = read(answers.threadsAnswer, await send(user, "GET", `/threads?limit=2${query}`));
      keys.push(...page.threads.map((thread) => thread.key));
      cursor = page.cursor;
    }
    assert.deepEqual(keys.sort(), ["ana:1", "ana:2", "shared"]);

    const all = read(answers.itemsAnswer, await send(user, "GET", `/threads/${key}/items`)).items;
    assert.equal(all.length, 6);
    assert.deepEqual(all.map(({ parts }) => parts.map((part) => part["text"]).join("")).slice(0, 2), [
      "a",
      "You said: a",
    ]);
    const back = read(
      answers.itemsAnswer,
      await send(user, "GET", `/threads/${key}/items?limit=2&before=${all[4]!.seq}`),
    ).items;
    assert.deepEqual(back, all.slice(2, 4));
    const forth = read(
      answers.itemsAnswer,
      await send(user, "GET", `/threads/${key}/items?limit=2&after=${all[1]!.seq}`),
    ).items;
    assert.deepEqual(forth, all.slice(2, 4));
    await close();
  });

  test("a turn is streamed from the message that starts it, and read again from a place in it [NC-2]", async () => {
    const { send, close } = await setUp(name);
    const stream = await send(
      user,
      "POST",
      `/threads/${key}/messages`,
      { id: "m1", text: "Hi" },
      { accept: "text/event-stream" },
    );
    assert.equal(stream.header("content-type"), "text/event-stream");
    const events = eventsOf(stream.text);
    const accepted = answers.acceptedAnswer.strict().parse(events[0]!.data);
    assert.equal(events[0]!.event, "accepted");
    assert.equal(events.at(-1)!.event, "execution-ended");
    const placed = events.filter(({ id }) => id !== undefined);
    assert.deepEqual(placed.length, events.length - 1);
    for (const [at, { id }] of placed.entries()) {
      const rest = await send(user, "GET", `/threads/${key}/events?executionId=${accepted.executionId}`, undefined, {
        "last-event-id": id!,
      });
      const wanted = placed.slice(at + 1);
      // A client that has seen the end is told of it again: every stream ends with one.
      assert.deepEqual(eventsOf(rest.text), wanted.length === 0 ? placed.slice(-1) : wanted);
    }
    assert.equal((await send(user, "GET", `/threads/${key}/events`)).status, 204);
    assert.equal(
      (await send(user, "GET", `/threads/${key}/events?after=${encodeURIComponent(placed.at(-1)!.id!)}`)).status,
      204,
    );
    await close();
  });

  test("a turn is cancelled; of one that has ended nothing is [NC-2]", async () => {
    const { send, engine, close } = await setUp(name);
    const { executionId } = read(
      answers.resultAnswer,
      await send(user, "POST", `/threads/${key}/messages?wait=5000`, { id: "m1", text: "refund" }),
    );
    const cancel = () => send(user, "POST", `/threads/${key}/cancel`, { reason: "Enough." });
    assert.deepEqual(read(answers.cancelAnswer, await cancel()).executionIds, [executionId]);
    await engine.idle();
    assert.deepEqual(read(answers.cancelAnswer, await cancel()).executionIds, []);
    const { result } = read(
      answers.resultAnswer,
      await send(user, "POST", `/threads/${key}/messages?wait=5000`, { id: "m1", text: "refund" }),
    );
    assert.equal(result.status, "cancelled");
    await close();
  });

  test("a fork shares the history up to an item, and takes messages of its own [NC-2]", async () => {
    const { send, close } = await setUp(name);
    const post = (id: string, contextId?: string) =>
      send(user, "POST", `/threads/${key}/messages?wait=5000`, { id, text: id, ...(contextId && { contextId }) });
    const { reactionItemId } = read(answers.resultAnswer, await post("a"));
    await post("b");
    const ask = { atItemId: reactionItemId, id: "mine" };
    const fork = read(answers.forkAnswer, await send(user, "POST", `/threads/${key}/fork`, ask), 201);
    const again = read(answers.forkAnswer, await send(user, "POST", `/threads/${key}/fork`, ask), 201);
    assert.equal(again.contextId, fork.contextId);
    await post("c", fork.contextId);
    const items = read(
      answers.itemsAnswer,
      await send(user, "GET", `/threads/${key}/items?contextId=${fork.contextId}`),
    ).items;
    assert.deepEqual(
      items.filter(({ kind }) => kind === "trigger").map(({ parts }) => parts[0]!["text"]),
      ["a", "c"],
    );
    const stranger = await send(user, "GET", `/threads/shared/items?contextId=${fork.contextId}`);
    assert.equal(stranger.status, 404);
    await close();
  });

  test("a conversation is deleted with a receipt, by who may operate [NC-2]", async () => {
    const { send, close } = await setUp(name);
    await send(user, "POST", `/threads/${key}/messages?wait=5000`, { id: "m1", text: "Hi" });
    const refused = await send(user, "DELETE", `/threads/${key}`);
    assert.deepEqual([refused.status, problemOf(refused).code], [403, "FORBIDDEN"]);
    const receipt = read(answers.deletedAnswer, await send("acme-operator", "DELETE", `/threads/${key}`));
    assert.equal(receipt.key, "ana:1");
    assert.ok(receipt.counts["items"]! >= 2);
    assert.equal((await send(user, "GET", `/threads/${key}`)).status, 404);
    assert.equal((await send("acme-operator", "DELETE", `/threads/${key}`)).status, 404);
    await close();
  });

  test("tenant, rights and keys come from the credentials alone [NC-2]", async () => {
    const { send, close } = await setUp(name);
    await send(user, "POST", "/threads/shared/messages?wait=5000", { id: "m1", text: "of acme" });
    assert.equal((await send("blue-user", "GET", "/threads/shared")).status, 404);
    for (const wanted of ["/threads/bob%3A1", "/threads/other", "/threads/ana", "/threads/ana%253A1"])
      assert.equal((await send(user, "GET", wanted)).status, 403, wanted);
    assert.equal((await send("nobody", "GET", "/threads/shared")).status, 401);
    assert.equal((await send(user, "GET", "/threads/shared?tenant=blue")).status, 400);
    const claims = await send(user, "POST", "/threads/shared/messages", {
      id: "m2",
      text: "x",
      metadata: { sender: { id: "olga" } },
    });
    assert.equal(claims.status, 403);
    assert.equal((await send("acme-clerk", "POST", "/threads/shared/messages", { id: "m2", text: "x" })).status, 403);
    assert.ok(!(await send(user, "GET", "/threads/shared")).text.includes("inner-state"));
    assert.ok((await send("acme-operator", "GET", "/threads/shared")).text.includes("inner-state"));
    await close();
  });

  test("an approval of another caller's conversation is not there [NC-2]", async () => {
    const { send, close } = await setUp(name, {
      authorize: (request) =>
        request.headers.get("authorization") === "Bearer mine"
          ? { tenant: "acme", can: ["read", "write", "decide"], keys: ["mine"] }
          : { tenant: "acme", can: ["read", "write", "decide"], keys: ["theirs"] },
    });
    const { result } = read(
      answers.resultAnswer,
      await send("mine", "POST", "/threads/mine/messages?wait=5000", { id: "m1", text: "refund" }),
    );
    const path = `/approvals/${result.approvals[0]!.id}`;
    const refused = await send("theirs", "POST", path, { decision: "approved" });
    assert.deepEqual([refused.status, problemOf(refused).code], [404, "APPROVAL_NOT_FOUND"]);
    assert.deepEqual(read(answers.approvalsAnswer, await send("theirs", "GET", "/approvals")).approvals, []);
    assert.equal(read(answers.approvalsAnswer, await send("mine", "GET", "/approvals")).approvals.length, 1);
    await close();
  });
});

test("the OpenAPI document is made of the schemas that check requests", async () => {
  const { send, close } = await setUp("memory", { basePath: "/api" });
  const { body, status } = await send(user, "GET", "/api/openapi.json");
  assert.equal(status, 200);
  expect(body).toMatchObject({
    openapi: "3.1.1",
    servers: [{ url: "/api" }],
    paths: {
      "/threads/{key}/messages": {
        post: {
          requestBody: {
            content: { "application/json": { schema: { required: ["id"], additionalProperties: false } } },
          },
          responses: { 202: {}, 200: { content: { "text/event-stream": {} } } },
        },
      },
      "/threads/{key}/items": {
        get: {
          parameters: [
            { name: "key", in: "path" },
            { name: "contextId" },
            { name: "before" },
            { name: "after" },
            { name: "limit", schema: { type: "integer" } },
          ],
        },
      },
      "/approvals/{id}": { post: { operationId: "decideApproval" } },
    },
  });
  await close();
});
