import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Heard, OtherSide } from "../channel.contract.ts";
import type { Locate } from "../channel.ts";
import { telegramChannel } from "./telegram.ts";

export const TOKEN = "123:abc";

interface Call {
  method: string;
  body: Record<string, unknown>;
  /** When it was answered, in milliseconds of `performance.now`. */
  at: number;
}

/** A server that speaks the Bot API: long polls, sends, edits, and says no when told to. */
export async function botApi() {
  const calls: Call[] = [];
  const updates: ({ update_id: number } & ({ message: object } | { edited_message: object }))[] = [];
  const refusals: { method: string; error_code: number; description: string; parameters?: object; after?: number }[] =
    [];
  /** What is seen in the chats, edits applied. */
  const messages: { id: number; chat: string; text: string }[] = [];
  /** A call of this kind is taken, and its connection closed without an answer. */
  let cutOff: string | undefined;
  let poll = () => {};
  const waiting = new Set<() => void>();
  let nextMessage = 100;
  const server: Server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const method = request.url!.split("/").at(-1)!;
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
      const reply = (value: object) => response.end(JSON.stringify(value));
      const answer = await answerTo(method, body, request.url!, request.socket);
      calls.push({ method, body, at: performance.now() });
      if (method === cutOff) {
        cutOff = undefined;
        request.socket.destroy();
      } else reply(answer);
      for (const wake of [...waiting]) wake();
    })().catch(() => response.destroy());
  });

  async function answerTo(
    method: string,
    body: Record<string, unknown>,
    path: string,
    socket: { once(event: "close", listener: () => void): unknown },
  ): Promise<object> {
    if (otherToken !== undefined && path === `/bot${otherToken.token}/${method}`)
      return { ok: false, ...otherToken.error };
    if (path !== `/bot${TOKEN}/${method}`) return { ok: false, error_code: 401, description: "Unauthorized" };
    const refusal = refusals.findIndex(
      (each) => each.method === method && (each.after ?? 0) <= calls.filter((call) => call.method === method).length,
    );
    if (refusal !== -1) return { ok: false, ...refusals.splice(refusal, 1)[0] };
    if (method === "getUpdates") {
      const due = () => updates.filter(({ update_id }) => update_id >= Number(body["offset"]));
      asked = Number(body["offset"]);
      for (const wake of [...waiting]) wake();
      if (due().length === 0) await new Promise<void>((resolve) => ((poll = resolve), socket.once("close", resolve)));
      return { ok: true, result: due() };
    }
    const id = method === "sendMessage" ? nextMessage++ : Number(body["message_id"]);
    if (method === "sendMessage") messages.push({ id, chat: String(body["chat_id"]), text: String(body["text"]) });
    else messages.find((one) => one.id === id)!.text = String(body["text"]);
    return { ok: true, result: { message_id: id } };
  }

  /** A bot that is always refused, with this. */
  let otherToken: { token: string; error: object } | undefined;
  let asked = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    refusals,
    messages,
    /** Refuses a call once so many of its kind were taken. */
    refuseAfter: (method: string, after: number, refusal: { error_code: number; description: string }) =>
      void refusals.push({ method, after, ...refusal }),
    cutOffNext: (method: string) => void (cutOff = method),
    /** The offset of the last poll: all updates before it count as received. */
    asked: () => asked,
    edit(update_id: number, messageId: number, text: string, at: number, chat = 7) {
      updates.push({
        update_id,
        edited_message: {
          message_id: messageId,
          edit_date: at,
          chat: { id: chat },
          from: { id: 1, first_name: "Ana" },
          text,
        },
      });
      poll();
    },
    say(update_id: number, text: string, chat = 7, message: object = {}) {
      updates.push({
        update_id,
        message: { message_id: update_id, chat: { id: chat }, from: { id: 1, first_name: "Ana" }, text, ...message },
      });
      poll();
    },
    /** Resolves once something is so; looked at after each call. */
    async until(found: () => boolean) {
      while (!found()) await new Promise<void>((resolve) => waiting.add(() => resolve()));
    },
    of: (method: string) => calls.filter((call) => call.method === method).map(({ body }) => body),
    refuseFor: (token: string, error: { error_code: number; description: string }) =>
      void (otherToken = { token, error }),
    close: () => new Promise<void>((resolve) => (server.close(() => resolve()), server.closeAllConnections())),
  };
}

/** The other side for the contract. */
export async function telegramSide({ locate }: { locate?: Locate }): Promise<OtherSide> {
  const api = await botApi();
  let updateId = 500;
  return {
    channel: telegramChannel({ token: TOKEN, baseUrl: api.baseUrl, ...(locate === undefined ? {} : { locate }) }),
    async say({ id, chat, text, media }) {
      const update = ++updateId;
      const said =
        media === undefined ? {} : { text: undefined, caption: text, photo: [{ file_id: media, width: 90 }] };
      api.say(update, text, Number(chat), { message_id: Number(id), ...said });
      await api.until(() => api.asked() > update);
    },
    async heard(count) {
      await api.until(() => api.messages.length >= count);
      return api.messages.map(({ chat, text }): Heard => ({ chat, text }));
    },
    refuseNext(refusal) {
      if ("noAnswer" in refusal) api.cutOffNext("sendMessage");
      else if ("forGood" in refusal)
        api.refusals.push({
          method: "sendMessage",
          error_code: 403,
          description: "Forbidden: bot was blocked by the user",
        });
      else
        api.refusals.push({
          method: "sendMessage",
          error_code: 429,
          description: "Too Many Requests",
          parameters: { retry_after: refusal.retryAfterMs / 1_000 },
        });
    },
    close: () => api.close(),
  };
}
