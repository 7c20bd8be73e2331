import type { Heard, OtherSide } from "../channel.contract.ts";
import type { Locate } from "../channel.ts";
import { httpChannel } from "./http.ts";

/** The other side for the contract: a client that sends again what got a 503, and listens to the chats. */
export async function httpSide({ locate }: { locate?: Locate }): Promise<OtherSide> {
  // A trusted backend, that may say where each message belongs.
  const channel = httpChannel({ authorize: () => ({ maySet: ["chat", "tenant", "session"] }) });
  const heard: Heard[] = [];
  const readers: ReadableStreamDefaultReader<string>[] = [];
  let changed = () => {};
  let closed = false;

  async function listen(chat: string, tenant: string): Promise<void> {
    const response = await channel.handler(new Request(`http://host/chats/${chat}/events?tenant=${tenant}`));
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    readers.push(reader);
    void (async () => {
      let buffer = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        buffer += value;
        const events = buffer.split("\n\n");
        buffer = events.pop()!;
        for (const event of events) {
          const data = /^event: reply\ndata: (.*)$/.exec(event)?.[1];
          if (data === undefined) continue;
          const { id, text } = JSON.parse(data) as { id: string; text: string };
          heard.push({ chat, text, replyId: id });
          changed();
        }
      }
    })().catch(() => undefined);
  }
  for (const chat of ["7", "8"]) await listen(chat, "default");
  const placed = locate?.({ id: "1", chat: "7" }).tenant;
  if (placed !== undefined) await listen("7", placed);

  return {
    channel,
    async say({ id, chat, text, media }) {
      const message = {
        id,
        chat,
        text,
        ...(media === undefined ? {} : { parts: [{ kind: "file", mediaType: "image/png", url: `blob:${media}` }] }),
      };
      const body = JSON.stringify({ ...message, ...locate?.({ id, chat, text }) });
      while (!closed) {
        const { status } = await channel.handler(
          new Request("http://host/messages", {
            method: "POST",
            body,
            headers: { "content-type": "application/json" },
          }),
        );
        if (status !== 503) return;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async heard(count) {
      while (heard.length < count) await new Promise<void>((resolve) => (changed = resolve));
      return heard;
    },
    async close() {
      closed = true;
      await Promise.all(readers.map((reader) => reader.cancel().catch(() => undefined)));
    },
  };
}
