import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { HebraError } from "@hebra/core";
import { afterEach, describe, expect, it } from "vitest";
import { localBus, type Bus } from "@hebra/bus";
import { memoryStore } from "../../store/memory.ts";
import { createRuntime, type Runtime } from "../runtime.ts";
import { echoReactor, echoThread, gate } from "../runtime.fixture.ts";
import { telegramChannel } from "./telegram.ts";

const TOKEN = "123:abc";

interface Call {
  method: string;
  body: Record<string, unknown>;
}

/** A server that speaks the Bot API: long polls, sends, edits, and says no when told to. */
async function botApi() {
  const calls: Call[] = [];
  const updates: { update_id: number; message: object }[] = [];
  const refusals: { method: string; error_code: number; description: string; parameters?: object }[] = [];
  let poll = () => {};
  let changed = () => {};
  let nextMessage = 100;
  const server: Server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const method = request.url!.split("/").at(-1)!;
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
      const reply = (value: object) => response.end(JSON.stringify(value));
      calls.push({ method, body });
      changed();
      if (request.url !== `/bot${TOKEN}/${method}`) return reply({ ok: false, error_code: 401, description: "Unauthorized" });
      const refusal = refusals.findIndex((each) => each.method === method);
      if (refusal !== -1) return reply({ ok: false, ...refusals.splice(refusal, 1)[0] });
      if (method === "getUpdates") {
        const due = () => updates.filter(({ update_id }) => update_id >= Number(body["offset"]));
        if (due().length === 0) await new Promise<void>((resolve) => ((poll = resolve), request.socket.once("close", resolve)));
        return reply({ ok: true, result: due() });
      }
      return reply({ ok: true, result: { message_id: method === "sendMessage" ? nextMessage++ : Number(body["message_id"]) } });
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    refusals,
    say(update_id: number, text: string, chat = 7) {
      updates.push({ update_id, message: { message_id: update_id, chat: { id: chat }, from: { id: 1, first_name: "Ana" }, text } });
      poll();
    },
    async until(found: () => boolean) {
      while (!found()) await new Promise<void>((resolve) => (changed = resolve));
    },
    of: (method: string) => calls.filter((call) => call.method === method).map(({ body }) => body),
    close: () => new Promise<void>((resolve) => (server.close(() => resolve()), server.closeAllConnections())),
  };
}

describe("the Telegram channel against a Bot API", () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  async function setUp(over: { bus?: Bus; reactor?: ReturnType<typeof echoReactor>; edits?: boolean } = {}) {
    const api = await botApi();
    closers.push(api.close);
    const runtime: Runtime = createRuntime({ threads: [echoThread(over.reactor)], store: memoryStore(), ...(over.bus === undefined ? {} : { bus: over.bus }) });
    closers.push(() => runtime.close());
    await runtime.gateway({ channels: [telegramChannel({ token: TOKEN, baseUrl: api.baseUrl, edits: over.edits ?? false })] });
    return { api, runtime };
  }

  it("answers in the chat that spoke, and asks for what is new only", async () => {
    const { api, runtime } = await setUp();
    api.say(5, "hello");
    await api.until(() => api.of("sendMessage").length === 1);
    expect(api.of("sendMessage")).toEqual([{ chat_id: "7", text: "echo: hello" }]);
    await api.until(() => api.of("getUpdates").at(-1)?.["offset"] === 6);
    expect((await runtime.engine.history({ key: "telegram:7" }))[0]?.item.metadata).toEqual({ sender: { id: "1", name: "Ana" } });
  });

  it("leaves the offset where it is while the bus is away: the update comes again", async () => {
    const inner = localBus() as Bus;
    let away = 1;
    const bus: Bus = { ...inner, deadLetters: inner.deadLetters, publishInbound: (...given) => (away-- > 0 ? Promise.reject(new HebraError("UNREACHABLE", "Redis is away.", { details: { retryAfterMs: 1 } })) : inner.publishInbound(...given)) };
    const { api } = await setUp({ bus });
    api.say(5, "hello");
    await api.until(() => api.of("sendMessage").length === 1);
    expect(api.of("getUpdates").slice(0, 2).map(({ offset }) => offset)).toEqual([0, 0]);
  });

  it("waits at least as long as it is told to when it sends too much", async () => {
    const { api } = await setUp({ bus: localBus({ retry: { baseMs: 0 } }) as Bus });
    api.refusals.push({ method: "sendMessage", error_code: 429, description: "Too Many Requests: retry after 0.2", parameters: { retry_after: 0.2 } });
    api.say(5, "hello");
    await api.until(() => api.of("sendMessage").length === 1);
    const refusedAt = performance.now();
    await api.until(() => api.of("sendMessage").length === 2);
    expect(performance.now() - refusedAt).toBeGreaterThan(190);
    expect(api.of("sendMessage")[1]).toEqual({ chat_id: "7", text: "echo: hello" });
  });

  it("gives up a reply that a chat will never take", async () => {
    const { api, runtime } = await setUp();
    api.refusals.push({ method: "sendMessage", error_code: 403, description: "Forbidden: bot was blocked by the user" });
    api.say(5, "hello");
    await api.until(() => api.of("sendMessage").length === 1);
    // The next reply of the chat goes out only when the refused one has left.
    api.say(6, "again");
    await api.until(() => api.of("sendMessage").length === 2);
    const { letters } = await runtime.bus.deadLetters.list();
    expect(letters[0]).toMatchObject({ cause: "permanent", direction: "outbound" });
    expect(JSON.stringify(letters)).not.toContain(TOKEN);
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

  it("cuts a long reply into messages that are taken", async () => {
    const { api } = await setUp();
    api.say(5, `${"word ".repeat(1_000)}end`);
    await api.until(() => api.of("sendMessage").length === 2);
    const sent = api.of("sendMessage").map(({ text }) => String(text));
    expect(sent.every(({ length }) => length <= 4_096)).toBe(true);
    expect(sent.join(" ").replaceAll(/\s+/g, " ")).toBe(`echo: ${"word ".repeat(1_000)}end`);
  });
});
