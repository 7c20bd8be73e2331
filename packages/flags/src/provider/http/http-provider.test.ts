import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "@hebra/test-servers/eventually";
import { afterEach, describe, expect, test } from "vitest";
import { createFlags } from "../../client/create-flags.ts";
import { countingClock } from "../../testing/counting-clock.fixture.ts";
import { firstDocument, providerContract } from "../provider.contract.ts";
import { httpProvider } from "./http-provider.ts";

const opened: Server[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A small flag server: a document with an ETag, and a stream that rings at each change. */
async function flagServer(options: { etag?: boolean } = {}) {
  const state = {
    text: JSON.stringify(firstDocument),
    revision: 1,
    up: true,
    requests: [] as string[],
    bells: new Set<ServerResponse>(),
    hang: false,
  };
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    if (!state.up) return void response.socket?.destroy();
    if (request.url === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(": hello\n\n");
      state.bells.add(response);
      return void response.on("close", () => state.bells.delete(response));
    }
    if (state.hang) return;
    const etag = `"r${state.revision}"`;
    state.requests.push(`${request.headers["if-none-match"] ?? "-"} ${request.headers.authorization ?? "-"}`);
    if (options.etag !== false && request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
    response
      .writeHead(200, { "content-type": "application/json", ...(options.etag === false ? {} : { etag }) })
      .end(state.text);
  };
  const server = createServer(handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  opened.push(server);
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const put = (text: string) => {
    state.text = text;
    state.revision++;
    for (const bell of state.bells) bell.write(`event: flags-changed\r\ndata: {"revision":${state.revision}}\r\n\r\n`);
  };
  return {
    state,
    base,
    put,
    cutOff() {
      state.up = false;
      server.closeAllConnections();
    },
  };
}

describe.each([
  ["with an event stream", true],
  ["by polling alone", false],
] as const)("httpProvider %s fulfils the contract", (_, stream) => {
  for (const [title, clause] of Object.entries(providerContract)) {
    test(title, async () => {
      const { state, base, put, cutOff } = await flagServer();
      const clock = countingClock();
      await clause({
        connect: () =>
          httpProvider({
            url: `${base}/flags`,
            ...(stream ? { eventsUrl: `${base}/events` } : {}),
            clock,
            pollMs: stream ? 500 : 60,
          }),
        publish: async (document) => put(JSON.stringify(document)),
        corrupt: async () => put("<html>"),
        cutOff: async () => cutOff(),
        restore: async () => void (state.up = true),
        elapse: () => pause(10),
        timers: () => clock.pending(),
      });
    });
  }
});

describe("httpProvider", () => {
  test("keeps its headers to its own host when a redirect leads elsewhere [FL-20]", async () => {
    const seen: [string, string | null][] = [];
    const send: typeof fetch = async (input, init) => {
      const { host } = new URL(input as string);
      seen.push([host, new Headers(init?.headers).get("x-api-key")]);
      if (host === "flags.example")
        return new Response(null, { status: 302, headers: { location: "https://other.example/f" } });
      return new Response('{"flags":{}}');
    };
    const headers = { "x-api-key": "secret" };
    const flags = createFlags({ provider: httpProvider({ url: "https://flags.example/f", headers, fetch: send }) });
    await flags.ready();
    expect(seen).toEqual([
      ["flags.example", "secret"],
      ["other.example", null],
    ]);
    await flags.close();
  });

  test("sends the ETag and its headers, and takes no unchanged document twice", async () => {
    const { state, base } = await flagServer();
    const provider = httpProvider({ url: `${base}/flags`, headers: { authorization: "Bearer t" }, pollMs: 20 });
    const flags = createFlags({ provider });
    let changes = 0;
    await flags.ready();
    flags.subscribe(() => void changes++);
    await eventually(() => state.requests.length >= 4, "polls");
    expect(state.requests.slice(0, 3)).toEqual(["- Bearer t", '"r1" Bearer t', '"r1" Bearer t']);
    expect(changes).toBe(0);
    await flags.close();
  });

  test("does without ETags", async () => {
    const { state, base, put } = await flagServer({ etag: false });
    const flags = createFlags({ provider: httpProvider({ url: `${base}/flags`, pollMs: 20 }) });
    let changes = 0;
    await flags.ready();
    flags.subscribe(() => void changes++);
    await eventually(() => state.requests.length >= 4, "polls");
    expect([changes, new Set(state.requests).size]).toEqual([0, 1]);
    put(JSON.stringify({ flags: {}, rollouts: { contract: { version: 2, canary: { percent: 100 } } } }));
    await eventually(() => flags.decide("contract", { session: "s" }).mode === "new", "the change");
    await flags.close();
  });

  test("learns of a change by push long before the poll, and of one that the stream missed when it is back", async () => {
    const { state, base, put } = await flagServer();
    const flags = createFlags({
      provider: httpProvider({ url: `${base}/flags`, eventsUrl: `${base}/events`, pollMs: 3_600_000 }),
    });
    await flags.ready();
    await eventually(() => state.bells.size === 1, "the stream");
    const document = (version: number, percent: number) =>
      JSON.stringify({ flags: {}, rollouts: { contract: { version, canary: { percent } } } });
    put(document(2, 100));
    await eventually(() => flags.decide("contract", { session: "s" }).mode === "new", "the push");
    for (const bell of state.bells) bell.socket?.destroy();
    state.text = document(3, 0);
    state.revision++;
    await eventually(() => flags.decide("contract", { session: "s" }).mode === "legacy", "the return of the stream");
    await flags.close();
  });

  test("gives up on a server that does not answer", async () => {
    const { state, base } = await flagServer();
    state.hang = true;
    const flags = createFlags({
      provider: httpProvider({ url: `${base}/flags`, timeoutMs: 50 }),
      logger: { warn() {} },
    });
    await expect(flags.ready()).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("within 50 ms") as string,
    });
    expect(flags.decide("contract", { session: "s" })).toMatchObject({
      mode: "legacy",
      errorCode: "PROVIDER_NOT_READY",
    });
    await flags.close();
  });

  test("says which status it got", async () => {
    const flags = createFlags({
      provider: httpProvider({
        url: "http://flags.test/document",
        fetch: async () => new Response("no", { status: 503 }),
      }),
      logger: { warn() {} },
    });
    await expect(flags.ready()).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("flags.test answered 503") as string,
    });
    await flags.close();
  });
});
