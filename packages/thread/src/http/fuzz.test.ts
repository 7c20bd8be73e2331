import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { pick, randomOf, type Random } from "../runtime/channels/fuzz.fixture.ts";
import { callers, setUp, stores } from "./http.fixture.ts";

/** Requests of one run. Every second one has one mutation. */
const REQUESTS = 2_000;
const SEED = 20_261_130;

/** A request before it is sent. */
interface Draft {
  route: string;
  token: string | undefined;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
}

/** What is known of a tenant: its own words, and the ids that its answers gave. */
interface Known {
  keys: string[];
  executions: string[];
  items: string[];
  contexts: string[];
  approvals: string[];
  cursors: string[];
  /** Every id that an answer gave. */
  all: Set<string>;
}

const tenants = ["acme", "blue"] as const;
type Tenant = (typeof tenants)[number];
/** Stands in every text of a tenant, and in nothing of the other. */
const markOf: Record<Tenant, string> = { acme: "acme-private-word", blue: "blue-private-word" };
const other = (tenant: Tenant): Tenant => (tenant === "acme" ? "blue" : "acme");
const tokensOf = (tenant: Tenant) => Object.keys(callers).filter((token) => callers[token]!.tenant === tenant);

const strange = [
  "",
  "a",
  "%",
  "%00",
  "%E0%A4%A",
  "..",
  "x".repeat(700),
  "\u202e",
  "é",
  "__proto__",
  "1e9",
  "-1",
  "null",
];

let serial = 0;
const routes: Record<
  string,
  (known: Known, tenant: Tenant, random: Random) => Omit<Draft, "route" | "token" | "headers">
> = {
  postMessage: ({ keys }, tenant, random) => ({
    method: "POST",
    path: `/threads/${pick(keys, random)}/messages${pick(["", "?wait=0", "?wait=200"], random)}`,
    body: JSON.stringify({
      id: `m${random() < 0.2 ? Math.floor(random() * serial) : serial++}`,
      text: `${markOf[tenant]} ${random() < 0.3 ? "refund" : "hello"}`,
      ...(random() < 0.3 ? { whenBusy: pick(["queue", "reject", "interrupt", "steer", "merge"], random) } : {}),
      ...(random() < 0.3 ? { metadata: { note: markOf[tenant] } } : {}),
    }),
  }),
  listThreads: ({ cursors }, _, random) => ({
    method: "GET",
    path: `/threads?limit=${1 + Math.floor(random() * 5)}${random() < 0.3 ? `&cursor=${encodeURIComponent(pick(cursors, random))}` : ""}${random() < 0.3 ? "&status=waiting" : ""}`,
    body: undefined,
  }),
  getThread: ({ keys }, _, random) => ({ method: "GET", path: `/threads/${pick(keys, random)}`, body: undefined }),
  getItems: ({ keys, contexts }, _, random) => ({
    method: "GET",
    path: `/threads/${pick(keys, random)}/items?limit=5&${pick(["before", "after"], random)}=${Math.floor(random() * 30)}${random() < 0.3 ? `&contextId=${pick(contexts, random)}` : ""}`,
    body: undefined,
  }),
  getEvents: ({ keys, executions }, _, random) => ({
    method: "GET",
    path: `/threads/${pick(keys, random)}/events${pick(["", `?after=${Math.floor(random() * 20)}`, `?executionId=${pick(executions, random)}`], random)}`,
    body: undefined,
  }),
  cancelTurn: ({ keys, executions }, tenant, random) => ({
    method: "POST",
    path: `/threads/${pick(keys, random)}/cancel`,
    body: JSON.stringify({
      reason: markOf[tenant],
      ...(random() < 0.5 ? { executionId: pick(executions, random) } : {}),
    }),
  }),
  forkThread: ({ keys, items }, _, random) => ({
    method: "POST",
    path: `/threads/${pick(keys, random)}/fork`,
    body: JSON.stringify({ atItemId: pick(items, random), id: `f${Math.floor(random() * 5)}` }),
  }),
  listApprovals: (_, __, random) => ({
    method: "GET",
    path: `/approvals?limit=${1 + Math.floor(random() * 5)}`,
    body: undefined,
  }),
  decideApproval: ({ approvals }, tenant, random) => ({
    method: "POST",
    path: `/approvals/${pick(approvals, random)}`,
    body: JSON.stringify({
      decision: pick(["approved", "denied"], random),
      comment: markOf[tenant],
      ...(random() < 0.2 ? { input: { order: "B-1" } } : {}),
    }),
  }),
  deleteThread: ({ keys }, _, random) => ({
    method: "DELETE",
    path: `/threads/${pick(keys, random)}`,
    body: undefined,
  }),
  postChat: ({ keys }, tenant, random) => {
    const id = `c${random() < 0.3 ? Math.floor(random() * serial) : serial++}`;
    const trigger = pick(["submit-message", "submit-message", "regenerate-message"], random);
    const message = { id, role: "user", parts: [{ type: "text", text: `${markOf[tenant]} hello` }] };
    return {
      method: "POST",
      path: "/chat",
      body: JSON.stringify({ id: decodeURIComponent(pick(keys, random)), trigger, messages: [message] }),
    };
  },
  getChat: ({ keys }, _, random) => ({ method: "GET", path: `/chat/${pick(keys, random)}?limit=5`, body: undefined }),
  getChatStream: ({ keys, executions }, _, random) => ({
    method: "GET",
    path: `/chat/${pick(keys, random)}/stream${pick(["", `?executionId=${pick(executions, random)}`], random)}`,
    body: undefined,
  }),
  getOpenApi: () => ({ method: "GET", path: "/openapi.json", body: undefined }),
};

/** One change of a request. Ids and keys of the other tenant are among them. */
const mutations: ((draft: Draft, theirs: Known, random: Random) => void)[] = [
  (draft, _, random) => (draft.method = pick(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"], random)),
  (draft) => (draft.token = undefined),
  (draft) => (draft.token = "stolen"),
  (draft, _, random) =>
    (draft.path = draft.path.replace(/\/[^/?]*(?=\?|$|\/[a-z]+(\?|$))/, `/${pick(strange, random)}`)),
  (draft, _, random) =>
    (draft.path += `${draft.path.includes("?") ? "&" : "?"}${pick(["limit", "after", "cursor", "tenant", "wait", "contextId"], random)}=${pick(strange, random)}`),
  (draft, theirs, random) =>
    (draft.path = draft.path.replace(/threads\/[^/?]+/, `threads/${pick(theirs.keys, random)}`)),
  (draft, theirs, random) =>
    (draft.path = draft.path.replace(/approvals\/[^/?]+/, `approvals/${pick(theirs.approvals, random)}`)),
  (draft, theirs, random) =>
    (draft.path += `${draft.path.includes("?") ? "&" : "?"}contextId=${pick(theirs.contexts, random)}`),
  (draft, theirs, random) =>
    (draft.path += `${draft.path.includes("?") ? "&" : "?"}executionId=${pick(theirs.executions, random)}`),
  (draft, theirs, random) =>
    (draft.path += `${draft.path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(pick(theirs.cursors, random))}`),
  (draft, _, random) =>
    (draft.headers["content-type"] = pick(
      ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data"],
      random,
    )),
  (draft, _, random) => (draft.headers["last-event-id"] = pick(["x", "-1", "999999999999", "1e3", "7"], random)),
  (draft) => (draft.headers["accept"] = "text/event-stream"),
  (draft, _, random) => (draft.body = draft.body && draft.body.slice(0, Math.floor(random() * draft.body.length))),
  (draft, _, random) =>
    (draft.body =
      draft.body && pick(["[]", "null", '"a"', "{}", "[".repeat(5_000), '{"__proto__":{"a":1}}', "\u0000"], random)),
  ...(
    [
      "tenant",
      "user",
      "role",
      "sender",
      "id",
      "thread",
      "text",
      "parts",
      "metadata",
      "executionId",
      "contextId",
      "atItemId",
      "decision",
      "input",
      "output",
      "comment",
      "messages",
      "messageId",
      "trigger",
    ] as const
  ).map((name) => (draft: Draft, theirs: Known, random: Random) => {
    if (draft.body === undefined) return;
    const values = [
      null,
      7,
      "",
      "\u0000",
      "\ud800",
      [],
      {},
      true,
      "blue",
      "x".repeat(600),
      pick(theirs.contexts, random),
      pick(theirs.executions, random),
      pick(theirs.items, random),
    ];
    draft.body = JSON.stringify({ ...(JSON.parse(draft.body) as object), [name]: pick(values, random) });
  }),
];

describe.each(Object.keys(stores))("over %s", (name) => {
  test(
    `of ${REQUESTS} requests of two tenants and three roles, half of them mutated, none fails the server or reaches across`,
    { timeout: 120_000 },
    async () => {
      const { handler, send, store, close } = await setUp(name, { heartbeatMs: 50 });
      const random = randomOf(SEED);
      const known: Record<Tenant, Known> = { acme: await seed("acme"), blue: await seed("blue") };
      const counts = new Map<string, { sent: number; done: number }>();
      const unexpected: string[] = [];

      for (let i = 0; i < REQUESTS; i++) {
        const tenant = pick(tenants, random);
        const next = Object.keys(routes)[i % Object.keys(routes).length]!;
        // Too many would leave nothing to read.
        const route = next === "deleteThread" && random() < 0.7 ? "postMessage" : next;
        const draft: Draft = {
          route,
          token: pick(tokensOf(tenant), random),
          headers: {},
          ...routes[route]!(known[tenant], tenant, random),
        };
        if (draft.body !== undefined) draft.headers["content-type"] = "application/json";
        if (i % 2 === 1) pick(mutations, random)(draft, known[other(tenant)], random);
        const { status, text } = await play(draft);
        const count = counts.get(route) ?? { sent: 0, done: 0 };
        counts.set(route, { sent: count.sent + 1, done: count.done + (status < 300 ? 1 : 0) });
        if (status >= 500) unexpected.push(`${status} ${JSON.stringify(draft)}: ${text}`);
        // Nothing of the other tenant is read, not even by its ids.
        const asked = `${draft.path} ${draft.body ?? ""}`;
        const foreign = idsOf(text).find((id) => known[other(tenant)].all.has(id) && !asked.includes(id));
        if (foreign !== undefined || text.includes(markOf[other(tenant)]))
          unexpected.push(`reads across: ${JSON.stringify(draft)}: ${text.slice(0, 400)}`);
        learn(known[tenant], text);
      }
      assert.deepEqual(unexpected.slice(0, 5), []);
      for (const [route, { sent, done }] of counts)
        assert.ok(sent >= 25 && done > 0, `${route}: ${done} of ${sent} were done`);

      // Nothing of one tenant was done in the other.
      for (const tenant of tenants) {
        const rows: string[] = [];
        for await (const { bundle } of store.system().export({ tenant })) rows.push(JSON.stringify(bundle));
        assert.ok(rows.length > 0 && rows.join("").includes(markOf[tenant]));
        assert.ok(!rows.join("").includes(markOf[other(tenant)]), `${tenant} holds words of ${other(tenant)}`);
        for (const token of tokensOf(other(tenant)))
          assert.ok(!rows.join("").includes(`"${callers[token]!.user}"`), `${tenant} was touched by ${token}`);
      }
      await close();

      async function play({ token, method, path, headers, body }: Draft): Promise<{ status: number; text: string }> {
        let request: Request;
        try {
          request = new Request(`http://localhost${path}`, {
            method,
            headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
            ...(body === undefined || method === "GET" || method === "HEAD" ? {} : { body }),
          });
        } catch {
          return { status: 400, text: "" };
        }
        const response = await handler(request);
        return { status: response.status, text: await textOf(response) };
      }

      async function seed(tenant: Tenant): Promise<Known> {
        const mine = tenant === "acme" ? "ana" : "bob";
        const found: Known = {
          keys: ["shared", `${mine}%3A1`, `${mine}%3A2`],
          executions: [],
          items: [],
          contexts: [],
          approvals: [],
          cursors: [],
          all: new Set(),
        };
        for (const key of found.keys)
          for (const words of ["hello", "refund"])
            learn(
              found,
              (
                await send(`${tenant}-operator`, "POST", `/threads/${key}/messages?wait=5000`, {
                  id: words,
                  text: `${markOf[tenant]} ${words}`,
                })
              ).text,
            );
        learn(found, (await send(`${tenant}-operator`, "GET", "/threads?limit=1")).text);
        for (const [what, values] of Object.entries(found))
          assert.ok([...(values as Iterable<string>)].length > 0, what);
        return found;
      }
    },
  );
});

/** A body; of an event stream, what comes before it idles: the turn of one may be queued behind one that waits. */
async function textOf(response: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes(": keep-alive")) break;
  }
  return text;
}

/** The ids in a text that name rows: those of contexts, turns, items, approvals. */
const idsOf = (text: string): string[] => text.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [];

/** Keeps the ids of an answer, the newest of each kind. */
function learn(known: Known, text: string): void {
  const take = (into: string[], pattern: RegExp) => {
    for (const [, value] of text.matchAll(pattern)) if (!into.includes(value!)) into.push(value!);
    into.splice(0, into.length - 20);
  };
  take(known.executions, /"executionId":"([^"]+)"/g);
  take(known.contexts, /"contextId":"([^"]+)"/g);
  take(known.items, /"(?:trigger|reaction)ItemId":"([^"]+)"/g);
  take(
    known.approvals,
    /"id":"([^"]+)","threadKey":"[^"]+","contextId":"[^"]+","executionId":"[^"]+","status":"pending"/g,
  );
  take(known.cursors, /"cursor":"([^"]+)"/g);
  for (const id of idsOf(text)) known.all.add(id);
}
