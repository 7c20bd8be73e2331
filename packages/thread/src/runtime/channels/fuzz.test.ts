import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { localBus, type Bus } from "@hebra/bus";
import { afterAll, beforeAll, test } from "vitest";
import { defineThread } from "../../definition/define-thread.ts";
import { memoryStore } from "../../store/memory.ts";
import { createRuntime, type Runtime } from "../runtime.ts";
import { blockedMs, pick, randomOf, type Random } from "./fuzz.fixture.ts";
import { httpChannel, type HttpChannel } from "./http.ts";
import { change, NUMBER, post as signedPost, secrets, textMessage } from "./whatsapp.fixture.ts";
import { whatsappChannel, type WhatsappChannel } from "./whatsapp.ts";

const SEED = 20_261_130;
const REQUESTS = 10_000;
const MIN_A_ROUTE = 100;
const tenants = ["acme", "globex", "initech"];
/** Who may speak over HTTP: two people of each tenant, with the same names. */
const people = tenants.flatMap((tenant) => ["ana", "ben"].map((chat) => ({ tenant, chat, key: `${tenant}-${chat}` })));
type Person = (typeof people)[number];
/** Who writes over WhatsApp: the first digit of the number says whose customer it is. */
const numbers = tenants.map((tenant, index) => ({ tenant, number: `${index + 1}4155550100` }));
/** What only one person may see. */
const secretOf = ({ tenant, chat }: { tenant: string; chat: string }) => `[for ${tenant} ${chat} alone]`;

let runtime: Runtime;
let web: HttpChannel;
let whatsapp: WhatsappChannel;
/** What the present request was published as: its tenants and conversations. */
let published: { tenant: string; session: string }[] = [];
const prompts: string[] = [];
const streams = new Map<Person, string>();

beforeAll(async () => {
  const inner = localBus() as Bus;
  const bus: Bus = Object.assign(Object.create(inner) as Bus, inner, {
    deadLetters: inner.deadLetters,
    publishInbound: (...[messages]: Parameters<Bus["publishInbound"]>) => {
      for (const { tenant = "default", session } of [messages].flat()) published.push({ tenant, session });
      return inner.publishInbound(messages);
    },
  });
  const reactor = {
    contract: "reactor-v1" as const,
    name: "secretive",
    async *react({ transcript }: { transcript: readonly object[] }) {
      const prompt = JSON.stringify(transcript);
      prompts.push(prompt);
      yield { type: "part-start" as const, partId: "p", kind: "text" as const };
      // Says back whatever secret it was shown.
      yield { type: "part-delta" as const, partId: "p", delta: /\[for \w+ \w+ alone\]/.exec(prompt)?.[0] ?? "noted" };
      yield { type: "part-end" as const, partId: "p" };
      yield { type: "usage" as const, usage: {} };
      yield { type: "finish" as const, reason: "stop" as const };
    },
  };
  runtime = createRuntime({ threads: [defineThread({ name: "echo", reactor })], store: memoryStore(), bus });
  web = httpChannel({
    authorize: ({ headers }) => {
      const person = people.find(({ key }) => headers.get("authorization") === `Bearer ${key}`);
      return person === undefined ? undefined : { tenant: person.tenant, chat: person.chat };
    },
    maxWaitMs: 5,
    maxBodyBytes: 65_536,
  });
  whatsapp = whatsappChannel({
    phoneNumberId: NUMBER,
    ...secrets,
    baseUrl: "http://127.0.0.1:9",
    timeoutMs: 50,
    locate: ({ chat }) => ({ tenant: tenants[Number(chat[0]) - 1] ?? "strangers" }),
  });
  await runtime.gateway({ channels: [web, whatsapp], embeddedWorker: { concurrency: 16 } });
  for (const person of people) {
    const body = { id: "first", text: `Remember ${secretOf(person)}.` };
    const response = await web.handler(httpRequest(person, "/messages?wait=5", "POST", JSON.stringify(body)));
    assert.ok(response.status === 200 || response.status === 202);
    const reader = (await web.handler(httpRequest(person, `/chats/${person.chat}/events`, "GET"))).body!.getReader();
    streams.set(person, "");
    void (async () => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        streams.set(person, streams.get(person)! + new TextDecoder().decode(value));
      }
    })().catch(() => undefined);
  }
}, 60_000);
afterAll(() => runtime.close());

function httpRequest(
  person: { key: string },
  path: string,
  method: string,
  body?: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Request {
  const own = {
    authorization: `Bearer ${person.key}`,
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  return new Request(`http://desk.example${path}`, {
    method,
    headers: { ...own, ...headers },
    ...(body === undefined ? {} : { body }),
  });
}

const oddTexts = [
  "",
  " ",
  "\n",
  "a\nb",
  "\u0000",
  "\u202e",
  "\ud800",
  "%",
  "%zz",
  "../..",
  "__proto__",
  "http:ana",
  "ana",
  "ben",
  "acme",
  "globex",
  "x".repeat(600),
  "猫".repeat(500),
  "'; DROP TABLE threads; --",
  "${jndi:ldap://x}",
];
const oddValues: unknown[] = [null, true, 0, -1, 1e308, "", [], {}, [[]], [{}], { id: "ana" }, [null], ...oddTexts];
const fields = [
  "id",
  "chat",
  "text",
  "parts",
  "sender",
  "metadata",
  "tenant",
  "session",
  "thread",
  "interrupt",
  "role",
];

/** A body with one thing changed. */
function mutatedBody(body: Record<string, unknown>, random: Random): string {
  const copy: Record<string, unknown> = structuredClone(body);
  const field = pick(fields, random);
  switch (Math.floor(random() * 6)) {
    case 0:
      delete copy[field];
      return JSON.stringify(copy);
    case 1:
      return JSON.stringify({ ...copy, [pick(oddTexts, random)]: pick(oddValues, random) });
    case 2: {
      const text = JSON.stringify(copy);
      return text.slice(0, Math.floor(random() * text.length));
    }
    case 3: {
      const text = [...JSON.stringify(copy)];
      text[Math.floor(random() * text.length)] = String.fromCharCode(Math.floor(random() * 0xffff));
      return text.join("");
    }
    case 4:
      return JSON.stringify({ ...copy, metadata: nested(Math.floor(random() * 200)) });
    default:
      return JSON.stringify({ ...copy, [field]: pick(oddValues, random) });
  }
}

function nested(depth: number): object {
  let value: object = {};
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? { a: value } : { a: [value] };
  return value;
}

const noise = (random: Random, length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: Math.floor(random() * length) }, () => Math.floor(random() * 256));
const oddQuery = (random: Random) =>
  `${pick(["wait", "tenant", "session", "chat", "hub.mode", "x"], random)}=${encodeURIComponent(pick(oddTexts, random).toWellFormed())}`;

interface Case {
  send(): Promise<Response>;
  /** Where its messages may go: nowhere, where there is none. */
  place?: { tenant: string; session: string | undefined };
}
type Route = (random: Random, valid: boolean, n: number) => Case;

const routes: Record<string, Route> = {
  "POST /messages": (random, valid, n) => {
    const person = pick(people, random);
    const place = { tenant: person.tenant, session: `http:${person.chat}` };
    const path = pick(
      ["/messages", "/messages?wait=1", `/messages?${oddQuery(random)}`, "/any/where/messages"],
      random,
    );
    if (!valid) {
      const key = pick(["", "x", person.key], random);
      const body = noise(random, 400);
      return { send: () => web.handler(httpRequest({ key }, path, "POST", body)), place };
    }
    const message = { id: `m${n}`, chat: person.chat, text: `hello ${n}`, metadata: { n }, interrupt: false };
    const header: Record<string, string> =
      random() < 0.2
        ? {
            [pick(["content-type", "origin", "x-tenant", "cookie", "accept"], random)]: pick(
              ["acme", "null", "text/plain", "*/*"],
              random,
            ),
          }
        : {};
    const body = Object.keys(header).length > 0 ? JSON.stringify(message) : mutatedBody(message, random);
    return { send: () => web.handler(httpRequest(person, path, "POST", body, header)), place };
  },
  "GET /chats/:chat/events": (random, valid) => {
    const person = pick(people, random);
    const other = pick(people, random);
    const chat = valid
      ? pick([person.chat, person.chat, other.chat, "%", "%61na", "ana%00"], random)
      : encodeURI(pick(oddTexts, random).toWellFormed());
    const query =
      random() < 0.5 ? "" : `?${pick([`tenant=${other.tenant}`, `chat=${other.chat}`, oddQuery(random)], random)}`;
    return {
      async send() {
        const key = valid ? person.key : pick(["", "x"], random);
        const response = await web.handler(httpRequest({ key }, `/chats/${chat}/events${query}`, "GET"));
        if (response.status === 200) {
          assert.ok(valid && decodeURIComponent(chat) === person.chat, `${person.key} reads ${chat}`);
          await response.body!.cancel();
        }
        return response;
      },
    };
  },
  "other paths and methods": (random, valid) => {
    const person = pick(people, random);
    const path = pick(
      ["/", "/messages", "/chats/ana/events", "/chats", `/${encodeURI(pick(oddTexts, random).toWellFormed())}`],
      random,
    );
    const method = pick(["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "PURGE"], random);
    return {
      async send() {
        const response = await web.handler(httpRequest(valid ? person : { key: "" }, path, method));
        if (response.headers.get("content-type")?.includes("event-stream") === true) await response.body!.cancel();
        return response;
      },
    };
  },
  "GET webhook": (random, valid) => {
    const query = new URLSearchParams({
      "hub.mode": "subscribe",
      "hub.challenge": "42",
      "hub.verify_token": secrets.verifyToken,
    });
    query.set(pick([...query.keys(), "x"], random), pick(oddTexts, random).toWellFormed());
    const target = valid ? `?${query.toString()}` : `?${oddQuery(random)}`;
    return { send: () => whatsapp.handler(new Request(`https://host/webhook${target}`)) };
  },
  "POST webhook, messages": (random, valid, n) => {
    const { tenant, number } = pick(numbers, random);
    const place = { tenant, session: undefined };
    if (!valid) {
      const body = noise(random, 400);
      const signature = pick(["", "sha256=", `sha256=${"0".repeat(64)}`, "sha1=abc"], random);
      return {
        send: () =>
          whatsapp.handler(
            new Request("https://host/webhook", {
              method: "POST",
              body,
              headers: { "x-hub-signature-256": signature },
            }),
          ),
      };
    }
    const message: Record<string, unknown> = textMessage(`wamid.${n}`, number, `hello ${n}`);
    const field = pick(["id", "type", "text", "timestamp", "context", "image"], random);
    if (random() < 0.3)
      message["type"] = pick(["image", "reaction", "button", "interactive", "location", "system", "odd"], random);
    else message[field] = pick(oddValues, random);
    const body = JSON.stringify(change({ messages: [message] }));
    return { send: () => whatsapp.handler(signedPost(body)), place };
  },
  "POST webhook, envelope": (random, valid, n) => {
    const { tenant, number } = pick(numbers, random);
    const whole = JSON.stringify(
      change({
        statuses: [{ id: "wamid.o", status: "read", timestamp: "1", recipient_id: number }],
        messages: [textMessage(`wamid.e${n}`, number, "hi")],
      }),
    );
    const at = Math.floor(random() * whole.length);
    const body =
      random() < 0.5
        ? whole.slice(0, at)
        : whole.slice(0, at) + pick(['"', "{", "[", "0", "x", "null"], random) + whole.slice(at + 1);
    if (valid) return { send: () => whatsapp.handler(signedPost(body)), place: { tenant, session: undefined } };
    const wrong = createHmac("sha256", "another secret").update(body).digest("hex");
    return { send: () => whatsapp.handler(signedPost(body, `sha256=${wrong}`)) };
  },
};

test(
  `${REQUESTS.toLocaleString("en")} damaged requests of three tenants break nothing and reach no other's conversation [SE-1, SE-6, SE-8, SE-9, SE-10, BU-11]`,
  { timeout: 300_000 },
  async () => {
    const random = randomOf(SEED);
    const counts = new Map<string, { valid: number; noise: number; statuses: Map<number, number> }>();
    const blocked = blockedMs();
    const names = Object.keys(routes);
    for (let n = 0; n < REQUESTS; n++) {
      const name = pick(names, random);
      const valid = n % 2 === 0;
      const { send, place } = routes[name]!(random, valid, n);
      published = [];
      const response = await send();
      // One request a turn of the event loop: what blocks it is one of them.
      await new Promise((resolve) => setImmediate(resolve));
      const text = response.headers.get("content-type")?.includes("json") === true ? await response.text() : "";
      const what = `request ${n}, ${name}: ${response.status} ${text.slice(0, 200)}`;
      assert.ok(response.status < 500, what);
      assert.ok(text.length < 2_000, what);
      if (response.status === 401 || response.status === 403) assert.deepEqual(published, [], what);
      for (const { tenant, session } of published) {
        assert.ok(place !== undefined, `${what} was published to ${tenant} ${session}`);
        // A WhatsApp number may itself be what was damaged; its tenant is by its number alone.
        const expected =
          place.session === undefined ? (tenants[Number(session.split(":")[1]?.[0]) - 1] ?? "strangers") : place.tenant;
        assert.equal(tenant, expected, what);
        if (place.session !== undefined) assert.equal(session, place.session, what);
      }
      const count = counts.get(name) ?? { valid: 0, noise: 0, statuses: new Map<number, number>() };
      count[valid ? "valid" : "noise"]++;
      count.statuses.set(response.status, (count.statuses.get(response.status) ?? 0) + 1);
      counts.set(name, count);
    }
    const longest = blocked.stop();
    for (const [name, { valid, noise: bad, statuses }] of counts) {
      const shown = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
      console.log(`${name}: ${valid} valid with one mutation, ${bad} noise; ${shown.join(", ")}`);
      assert.ok(valid + bad >= MIN_A_ROUTE, name);
    }
    console.log(`longest block of the event loop: ${Math.round(longest)} ms of CPU; ${prompts.length} turns`);
    assert.ok(longest <= 100, `the event loop was blocked for ${Math.round(longest)} ms`);

    // Every conversation still answers, after all that was queued before.
    for (const person of people) {
      const body = JSON.stringify({ id: "last", text: "And now?" });
      assert.equal((await web.handler(httpRequest(person, "/messages", "POST", body))).status, 202);
    }
    while (![...streams.values()].every((text) => text.includes('"inReplyTo":"last"')))
      await new Promise((resolve) => setImmediate(resolve));
    for (const [person, text] of streams)
      for (const other of people.filter((one) => one !== person))
        assert.ok(!text.includes(secretOf(other)), `${person.key} was told what ${other.key} said`);
    for (const prompt of prompts)
      assert.ok(new Set(prompt.match(/\[for \w+ \w+ alone\]/g)).size <= 1, "two people's words are in one prompt");
  },
);
