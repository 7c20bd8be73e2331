import { HebraError, silentLogger, systemClock } from "@hebra/core";
import { localBus, type Bus } from "@hebra/bus";
import { afterEach, describe, expect, it } from "vitest";
import { memoryStore } from "../../store/memory.ts";
import type { ReplyStatus } from "../channel.ts";
import { createRuntime } from "../runtime.ts";
import { echoThread } from "../runtime.fixture.ts";
import { change, channelOn, graphApi, NUMBER, post, secrets, textMessage } from "./whatsapp.fixture.ts";
import { whatsappChannel } from "./whatsapp.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(over: { bus?: Bus } = {}) {
  const api = await graphApi();
  closers.push(api.close);
  const logged: string[] = [];
  const log = (message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const runtime = createRuntime({
    threads: [echoThread()],
    store: memoryStore(),
    logger: { debug: log, info: log, warn: log, error: log },
    ...over,
  });
  closers.push(() => runtime.close());
  const channel = channelOn(api.baseUrl);
  const statuses: (ReplyStatus & { channel: string })[] = [];
  await runtime.gateway({ channels: [channel], onReplyStatus: (status) => statuses.push(status) });
  const trigger = async (chat: string) => (await runtime.engine.history({ key: `whatsapp:${chat}` }))[0]!.item;
  return { api, runtime, channel, statuses, logged, trigger };
}
const get = (query: string) => new Request(`https://host/webhook?${query}`);

describe("the WhatsApp webhook", () => {
  it("answers the challenge of whoever knows the verify token, and nobody else's", async () => {
    const { channel } = await setUp();
    const answer = await channel.handler(
      get(`hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=${secrets.verifyToken}`),
    );
    expect([answer.status, await answer.text()]).toEqual([200, "1158201444"]);
    for (const query of [
      "hub.mode=subscribe&hub.challenge=1&hub.verify_token=other",
      "hub.challenge=1",
      `hub.mode=unsubscribe&hub.verify_token=${secrets.verifyToken}`,
    ])
      expect((await channel.handler(get(query))).status).toBe(403);
    expect((await channel.handler(new Request("https://host/webhook", { method: "PUT" }))).status).toBe(405);
  });

  it("takes nothing without the signature of these very bytes", async () => {
    const { channel, runtime } = await setUp();
    const body = change({ messages: [textMessage("wamid.1", "34600", "hello")] });
    const valid = post(body).headers.get("x-hub-signature-256")!;
    const forged = [
      post(body, "sha256=00"),
      post(body, valid.replace("sha256=", "sha1=")),
      post(body, ""),
      post(`${JSON.stringify(body)} `, valid),
      post(body, `sha256=${"0".repeat(64)}`),
    ];
    for (const request of forged) expect((await channel.handler(request)).status).toBe(401);
    expect((await runtime.bus.stats()).inbound.depth).toBe(0);
    // Signed over what it is, however it is written: a `ñ` as an escape.
    const escaped = JSON.stringify(change({ messages: [textMessage("wamid.2", "34600", "mañana")] })).replace(
      "ñ",
      "\\u00f1",
    );
    expect((await channel.handler(post(escaped))).status).toBe(200);
  });

  it("refuses what is too large or no post of the API, and reads no more of it than it may", async () => {
    const { channel } = await setUp();
    expect((await channel.handler(post({ object: "page", entry: [] }))).status).toBe(400);
    expect((await channel.handler(post("no json"))).status).toBe(400);
    const small = whatsappChannel({ phoneNumberId: NUMBER, ...secrets, maxBodyBytes: 10 });
    await small.start({
      gatewayId: "g",
      publish: () => Promise.reject(new Error("no")),
      report() {},
      clock: { now: () => 0, monotonic: () => 0, after: () => () => {} },
      logger: { debug() {}, info() {}, warn() {}, error() {} },
    });
    expect((await small.handler(post({ object: "whatsapp_business_account", entry: [] }))).status).toBe(413);
  });

  it("reads words, captions, choices and references; what is no word to anybody is passed over", async () => {
    const { channel, trigger, api, logged } = await setUp();
    const from = (chat: string, id: string, rest: object) => ({ from: chat, id, timestamp: "1749416383", ...rest });
    const messages = [
      from("1", "wamid.a", {
        type: "document",
        document: {
          caption: "My bill",
          filename: "bill.pdf",
          mime_type: "application/pdf",
          sha256: "x",
          id: "media-1",
        },
      }),
      from("2", "wamid.b", {
        type: "audio",
        audio: { mime_type: "audio/ogg", sha256: "x", id: "media-2", voice: true },
      }),
      from("3", "wamid.c", {
        type: "interactive",
        context: { from: NUMBER, id: "wamid.z" },
        interactive: { type: "button_reply", button_reply: { id: "yes", title: "Yes, please" } },
      }),
      from("4", "wamid.d", {
        type: "interactive",
        interactive: { type: "list_reply", list_reply: { id: "row-2", title: "Tuesday", description: "10:00" } },
      }),
      from("5", "wamid.e", { type: "button", button: { payload: "STOP", text: "Stop it" } }),
      from("6", "wamid.f", { type: "reaction", reaction: { message_id: "wamid.z", emoji: "👍" } }),
      { odd: true },
    ];
    const contacts = [{ profile: { name: "Ana" }, wa_id: "1" }];
    expect((await channel.handler(post(change({ contacts, messages })))).status).toBe(200);
    await api.until(() => api.sent.length === 5);
    expect(Object.fromEntries(api.sent.map(({ body }) => [body.to, body.text.body]))).toEqual({
      1: "echo: My bill",
      2: "echo: [audio]",
      3: "echo: Yes, please",
      4: "echo: Tuesday",
      5: "echo: Stop it",
    });
    expect((await trigger("1")).metadata).toMatchObject({
      sender: { id: "1", name: "Ana" },
      media: { document: { id: "media-1", mime_type: "application/pdf" } },
    });
    expect((await trigger("3")).metadata).toMatchObject({
      interactive: { button_reply: { id: "yes" } },
      context: { id: "wamid.z" },
    });
    expect(logged.filter((line) => line.includes("passed over"))).toHaveLength(2);
  });

  it("takes a post whole or has it posted again: what was taken the first time is known the second", async () => {
    const inner = localBus() as Bus;
    let calls = 0;
    const bus: Bus = {
      ...inner,
      deadLetters: inner.deadLetters,
      publishInbound: (...given) =>
        ++calls === 2
          ? Promise.reject(new HebraError("UNREACHABLE", "Redis is away."))
          : inner.publishInbound(...given),
    };
    const { api, channel } = await setUp({ bus });
    const body = change({ messages: [textMessage("wamid.1", "34600", "one"), textMessage("wamid.2", "34600", "two")] });
    const refused = await channel.handler(post(body));
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await channel.handler(post(body))).status).toBe(200);
    await api.until(() => api.sent.length === 2);
    expect(api.sent.map(({ body: { text } }) => text.body)).toEqual(["echo: one", "echo: two"]);
  });

  it("leaves other numbers of the same app alone", async () => {
    const { channel, runtime, logged } = await setUp();
    expect(
      (await channel.handler(post(change({ messages: [textMessage("wamid.1", "34600", "hello")] }, "999")))).status,
    ).toBe(200);
    expect((await runtime.bus.stats()).inbound.depth).toBe(0);
    expect(logged.some((line) => line.includes("the number 999"))).toBe(true);
  });

  it("tells what became of a reply: sent, delivered, read, and why it failed", async () => {
    const { api, channel, statuses, logged } = await setUp();
    await channel.handler(post(change({ messages: [textMessage("wamid.1", "34600", "hello")] })));
    await api.until(() => api.sent.length === 1);
    const replyId = api.sent[0]!.body.biz_opaque_callback_data;
    const status = (state: string, more: object = {}) => ({
      id: "wamid.out1",
      status: state,
      timestamp: "1749416384",
      recipient_id: "34600",
      biz_opaque_callback_data: replyId,
      ...more,
    });
    const errors = [
      {
        code: 131049,
        title: "Meta chose not to deliver",
        message: "Meta chose not to deliver",
        error_data: { details: "Too many messages of this kind." },
      },
    ];
    expect(
      (
        await channel.handler(
          post(
            change({
              statuses: [
                status("sent"),
                status("delivered"),
                status("read"),
                status("warming"),
                status("failed", { errors }),
                { odd: 1 },
              ],
            }),
          ),
        )
      ).status,
    ).toBe(200);
    expect(statuses.map(({ status: state }) => state)).toEqual(["sent", "delivered", "read", "failed"]);
    expect(statuses.at(-1)).toEqual({
      channel: "whatsapp",
      chat: "34600",
      messageId: "wamid.out1",
      replyId,
      status: "failed",
      at: 1_749_416_384_000,
      reason: "131049: Too many messages of this kind.",
    });
    expect(logged.some((line) => line.startsWith("A reply did not arrive."))).toBe(true);
  });
});

describe("what the WhatsApp channel sends", () => {
  const reply = { id: "r1", tenant: "default", session: "s", chat: "34600", inReplyTo: "1", text: "hello", index: 0 };

  it("goes to the number's messages edge, with the token in its header", async () => {
    const { api, channel } = await setUp();
    await channel.send(reply);
    expect(api.sent).toEqual([
      {
        path: `/v23.0/${NUMBER}/messages`,
        authorization: `Bearer ${secrets.accessToken}`,
        body: {
          messaging_product: "whatsapp",
          recipient_type: "individual",
          to: "34600",
          type: "text",
          text: { preview_url: false, body: "hello" },
          biz_opaque_callback_data: "r1",
        },
      },
    ]);
  });

  it.each([
    [
      "the number sends too much",
      400,
      130429,
      {},
      { retryable: true, details: { status: 400, code: 130429, retryAfterMs: 1_000 } },
    ],
    [
      "one person gets too much",
      400,
      131056,
      {},
      { retryable: true, details: { status: 400, code: 131056, retryAfterMs: 6_000 } },
    ],
    [
      "it is told when",
      429,
      130429,
      { "retry-after": "7" },
      { retryable: true, details: { status: 429, code: 130429, retryAfterMs: 7_000 } },
    ],
    [
      "the service is away",
      503,
      131016,
      {},
      { retryable: true, details: { status: 503, code: 131016, retryAfterMs: 5_000 } },
    ],
    ["the 24 hours are over", 400, 131047, {}, { retryable: false, details: { status: 400, code: 131047 } }],
    ["the number cannot be reached", 400, 131026, {}, { retryable: false, details: { status: 400, code: 131026 } }],
  ])("says whether trying again helps: %s", async (_name, status, code, headers, expected) => {
    const { api, channel } = await setUp();
    api.refuse(status, code, `refused with the token ${secrets.accessToken}`, headers as Record<string, string>);
    const error = await channel.send(reply).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SERVER_REFUSED", ...expected });
    expect(JSON.stringify(error) + String((error as Error).message)).not.toContain(secrets.accessToken);
  });

  it("is tried again when nobody answers, or nothing that can be read", async () => {
    const { api, channel } = await setUp();
    api.refusals.push({ status: 502, body: {} });
    await expect(channel.send(reply)).rejects.toMatchObject({ code: "SERVER_REFUSED", retryable: true });
    await api.close();
    await expect(channel.send(reply)).rejects.toMatchObject({ code: "UNREACHABLE", retryable: true });
  });

  it("ends in the dead letters once the 24 hours are over, and what comes after goes out", async () => {
    const { api, channel, runtime } = await setUp();
    api.refuse(400, 131047, "More than 24 hours have passed.");
    const body = change({ messages: [textMessage("wamid.1", "34600", "one"), textMessage("wamid.2", "34600", "two")] });
    await channel.handler(post(body));
    await api.until(() => api.sent.length === 1);
    expect(api.sent[0]!.body.text.body).toBe("echo: two");
    expect((await runtime.bus.deadLetters.list()).letters).toMatchObject([
      { direction: "outbound", cause: "permanent", signature: { code: "SERVER_REFUSED" } },
    ]);
  });
});

describe("the options of the WhatsApp channel", () => {
  it("are all needed that are secret, and a number is told by its id", () => {
    expect(() => whatsappChannel({ phoneNumberId: NUMBER, accessToken: "x", appSecret: "", verifyToken: "y" })).toThrow(
      /appSecret/,
    );
    expect(() =>
      whatsappChannel({ phoneNumberId: "+34 600", accessToken: "x", appSecret: "x", verifyToken: "y" }),
    ).toThrow(/phoneNumberId/);
    expect(() => whatsappChannel({ phoneNumberId: NUMBER, ...secrets, baseURL: "x" } as never)).toThrow(
      /did you mean `baseUrl`/,
    );
  });
});

it("tells a person who floods that the conversation is full, and takes the others of the post [BU-7]", async () => {
  const api = await graphApi();
  const channel = channelOn(api.baseUrl);
  const taken: string[] = [];
  await channel.start({
    gatewayId: "main",
    publish: async ({ id, chat }) => {
      if (chat === "34600000001") throw new HebraError("BACKLOG_FULL", "The conversation is full.");
      taken.push(id);
      return { status: "accepted", tenant: "default", session: `whatsapp:${chat}`, durable: true };
    },
    report: () => undefined,
    clock: systemClock,
    logger: silentLogger,
  });
  const flood = Array.from({ length: 5 }, (_, n) => textMessage(`wamid.${n}`, "34600000001", "flood"));
  const response = await channel.handler(
    post(change({ messages: [...flood, textMessage("wamid.9", "34600000002", "hello")] })),
  );
  expect([response.status, taken]).toEqual([200, ["wamid.9"]]);
  await api.until(() => api.sent.length > 0);
  expect(api.sent.map(({ body }) => [body.to, body.text.body])).toEqual([
    ["34600000001", expect.stringContaining("Too many of your messages")],
  ]);
  await api.close();
});
