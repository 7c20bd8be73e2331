import { HebraError } from "@hebra/core";
import { afterEach, describe, expect, it } from "vitest";
import { localBus, type Bus } from "@hebra/bus";
import { memoryStore } from "../../store/memory.ts";
import { createRuntime, type Runtime } from "../runtime.ts";
import { echoReactor, echoThread, gate } from "../runtime.fixture.ts";
import { botApi, TOKEN } from "./telegram.fixture.ts";
import { telegramChannel } from "./telegram.ts";

describe("the Telegram channel against a Bot API", () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  async function setUp(over: { bus?: Bus; reactor?: ReturnType<typeof echoReactor>; edits?: boolean } = {}) {
    const api = await botApi();
    closers.push(api.close);
    const runtime: Runtime = createRuntime({
      threads: [echoThread(over.reactor)],
      store: memoryStore(),
      ...(over.bus === undefined ? {} : { bus: over.bus }),
    });
    closers.push(() => runtime.close());
    await runtime.gateway({
      channels: [telegramChannel({ token: TOKEN, baseUrl: api.baseUrl, edits: over.edits ?? false })],
    });
    return { api, runtime };
  }

  it("answers in the chat that spoke, and asks for what is new only", async () => {
    const { api, runtime } = await setUp();
    api.say(5, "hello");
    await api.until(() => api.of("sendMessage").length === 1);
    expect(api.of("sendMessage")).toEqual([{ chat_id: "7", text: "echo: hello" }]);
    await api.until(() => api.asked() === 6);
    expect((await runtime.engine.history({ key: "telegram:7" }))[0]?.item.metadata).toEqual({
      sender: { id: "1", name: "Ana" },
    });
  });

  it("leaves the offset where it is while the bus is away: the update comes again", async () => {
    const inner = localBus() as Bus;
    let away = 1;
    const bus: Bus = {
      ...inner,
      deadLetters: inner.deadLetters,
      publishInbound: (...given) =>
        away-- > 0
          ? Promise.reject(new HebraError("UNREACHABLE", "Redis is away.", { details: { retryAfterMs: 1 } }))
          : inner.publishInbound(...given),
    };
    const { api } = await setUp({ bus });
    api.say(5, "hello");
    await api.until(() => api.of("sendMessage").length === 1);
    expect(
      api
        .of("getUpdates")
        .slice(0, 2)
        .map(({ offset }) => offset),
    ).toEqual([0, 0]);
  });

  it("passes over what it cannot read, and what the bus never takes, without asking for it again", async () => {
    const inner = localBus() as Bus;
    const bus: Bus = {
      ...inner,
      deadLetters: inner.deadLetters,
      publishInbound: (...given) =>
        JSON.stringify(given).includes("huge")
          ? Promise.reject(new HebraError("ENVELOPE_TOO_LARGE", "Too large."))
          : inner.publishInbound(...given),
    };
    const { api } = await setUp({ bus });
    api.say(500, "odd", 7, { message_id: "not a number" });
    api.say(501, "huge");
    api.say(502, "hello");
    await api.until(() => api.of("sendMessage").length === 1);
    expect(api.of("sendMessage")).toEqual([{ chat_id: "7", text: "echo: hello" }]);
    await api.until(() => api.asked() === 503);
    expect(api.of("getUpdates").filter(({ offset }) => Number(offset) > 0 && Number(offset) < 500)).toEqual([]);
  });

  it("waits at least as long as it is told to when it sends too much", async () => {
    const { api } = await setUp({ bus: localBus({ retry: { baseMs: 0 } }) as Bus });
    api.refusals.push({
      method: "sendMessage",
      error_code: 429,
      description: "Too Many Requests: retry after 0.2",
      parameters: { retry_after: 0.2 },
    });
    api.say(5, "hello");
    await api.until(() => api.of("sendMessage").length === 2);
    const [refused, sent] = api.calls.filter(({ method }) => method === "sendMessage");
    // Timers may fire a millisecond early.
    expect(sent!.at - refused!.at).toBeGreaterThan(195);
    expect(api.of("sendMessage")[1]).toEqual({ chat_id: "7", text: "echo: hello" });
  });

  it("gives up a reply that a chat will never take", async () => {
    const { api, runtime } = await setUp();
    api.refusals.push({
      method: "sendMessage",
      error_code: 403,
      description: "Forbidden: bot was blocked by the user",
    });
    api.say(5, "hello");
    await api.until(() => api.of("sendMessage").length === 1);
    // The next reply of the chat goes out only when the refused one has left.
    api.say(6, "again");
    await api.until(() => api.of("sendMessage").length === 2);
    const { letters } = await runtime.bus.deadLetters.list();
    expect(letters[0]).toMatchObject({ cause: "permanent", direction: "outbound" });
    expect(JSON.stringify(letters)).not.toContain(TOKEN);
  });

  it("tells a chat that floods that it is full, and goes on with the others [BU-7]", async () => {
    const hold = gate();
    const reactor = echoReactor((said) => (said.startsWith("flood") ? hold.promise : undefined));
    const { api, runtime } = await setUp({ bus: localBus({ maxBacklog: 3 }) as Bus, reactor });
    for (let n = 1; n <= 40; n++) api.say(n, `flood ${n}`, 7);
    api.say(41, "hello", 8);
    await api.until(() => ["7", "8"].every((chat) => api.of("sendMessage").some(({ chat_id }) => chat_id === chat)));
    expect(api.of("sendMessage").filter(({ chat_id }) => chat_id === "7")).toEqual([
      { chat_id: "7", text: expect.stringContaining("Too many of your messages") },
    ]);
    await api.until(() => api.asked() === 42);
    hold.open();
    // What was taken before is answered.
    await api.until(() => api.of("sendMessage").filter(({ chat_id }) => chat_id === "7").length >= 3);
    expect((await runtime.bus.stats()).dead).toBe(0);
  });

  it("takes an edit as a message that says which one it replaces, once for each edit [BU-7]", async () => {
    const { api, runtime } = await setUp();
    api.say(5, "helo");
    api.edit(6, 5, "hello", 1_700_000_000);
    api.edit(7, 5, "hello", 1_700_000_000);
    api.edit(8, 5, "hello!", 1_700_000_009);
    await api.until(() => api.of("sendMessage").length === 3);
    expect(api.of("sendMessage").map(({ text }) => text)).toEqual(["echo: helo", "echo: hello", "echo: hello!"]);
    const triggers = (await runtime.engine.history({ key: "telegram:7" })).filter(
      ({ item }) => item.kind === "trigger",
    );
    expect(triggers.map(({ item }) => item.metadata["edits"])).toEqual([undefined, "5", "5"]);
  });

  it("repeats no token that an error of the other side repeats [SE-12]", async () => {
    const token = "7654321:AAF-secret_half-of-the-token";
    const api = await botApi();
    closers.push(api.close);
    const [, half] = token.split(":");
    for (const description of [
      `Not Found: /bot${token}/sendMessage`,
      `Not Found: /bot${encodeURIComponent(token)}/sendMessage`,
      `wrong token ${half}`,
    ]) {
      api.refuseFor(token, { error_code: 404, description });
      const error: unknown = await telegramChannel({ token, baseUrl: api.baseUrl })
        .send({ id: "1", tenant: "default", session: "s", chat: "7", inReplyTo: "1", text: "hi", index: 0 })
        .then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
      expect(error).toMatchObject({ code: "SERVER_REFUSED" });
      expect(String((error as Error).message) + JSON.stringify(error)).not.toContain(half);
      expect((error as Error).message).toContain("…");
    }
  });

  it("shows a growing reply by editing one message", async () => {
    const hold = gate();
    const { api } = await setUp({ edits: true, reactor: echoReactor(() => hold.promise) });
    api.say(5, "hello");
    await api.until(() => api.of("sendMessage").length === 1);
    expect(api.of("sendMessage")[0]).toEqual({ chat_id: "7", text: "echo: " });
    hold.open();
    await api.until(() => api.of("editMessageText").length >= 1);
    expect(api.of("editMessageText").at(-1)).toEqual({ chat_id: "7", message_id: 100, text: "echo: hello" });
    expect(api.of("sendMessage")).toHaveLength(1);
  });

  it("goes on behind the messages of a reply that went out before one was refused", async () => {
    const { api } = await setUp({ bus: localBus({ retry: { baseMs: 0 } }) as Bus });
    const [first, second] = ["a".repeat(4_000), "b".repeat(4_000)];
    api.refuseAfter("sendMessage", 1, { error_code: 500, description: "Internal" });
    api.say(5, `${first} ${second}`);
    await api.until(() => api.messages.length === 2);
    expect(api.messages.map(({ text }) => text.at(-1))).toEqual(["a", "b"]);
    expect(api.of("sendMessage").map(({ text }) => String(text).at(-1))).toEqual(["a", "b", "b"]);
  });

  it("cuts a long reply into messages that are taken", async () => {
    const { api } = await setUp();
    api.say(5, `${"word ".repeat(1_000)}end`);
    await api.until(() => api.of("sendMessage").length === 2);
    const sent = api.of("sendMessage").map(({ text }) => String(text));
    expect(sent.every(({ length }) => length <= 4_096)).toBe(true);
    expect(sent.join(" ").replaceAll(/\s+/g, " ")).toBe(`echo: ${"word ".repeat(1_000)}end`);
  });
});
