import { newContainer } from "./browser.fixture.ts";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { useChat, type UIMessage, type UseChatHelpers } from "@ai-sdk/react";
import { DefaultChatTransport, uiMessageChunkSchema } from "ai";
import { nodeListener } from "../node-listener.ts";

type Options = NonNullable<Parameters<typeof useChat<UIMessage>>[0]>;
type Chat = UseChatHelpers<UIMessage>;

/** Serves a handler to a browser. */
export async function serve(handler: (request: Request) => Promise<Response>) {
  const server = createServer(nodeListener(handler));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Chunks that a client was sent, each checked by the SDK's own schema. */
export interface Seen {
  chunks: { type: string; [member: string]: unknown }[];
  problems: string[];
}

async function read(body: ReadableStream<Uint8Array>, seen: Seen): Promise<void> {
  const schema = uiMessageChunkSchema();
  let text = "";
  const decoder = new TextDecoder();
  const take = async (block: string) => {
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (data === undefined || data === "[DONE]") return;
    const chunk = JSON.parse(data) as Seen["chunks"][number];
    seen.chunks.push(chunk);
    const checked = await schema.validate?.(chunk);
    if (checked?.success !== true) seen.problems.push(data);
  };
  try {
    for await (const bytes of body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) await take(block);
    }
  } catch {
    // The client left.
  }
}

/** A page that is open. */
export interface ChatPage {
  seen: Seen;
  readonly chat: Chat;
  until(holds: (chat: Chat) => boolean): Promise<Chat>;
  /** Waits until no request is under way. */
  ready(holds?: (chat: Chat) => boolean): Promise<Chat>;
  close(): Promise<void>;
}

/** An unmodified `useChat` on a page. */
export async function openChat(
  url: string,
  token: string,
  options: Partial<Options> & { id: string },
): Promise<ChatPage> {
  const seen: Seen = { chunks: [], problems: [] };
  const watchers = new Set<() => void>();
  const reads: Promise<void>[] = [];
  let chat: Chat | undefined;
  const transport = new DefaultChatTransport<UIMessage>({
    api: `${url}/chat`,
    headers: { authorization: `Bearer ${token}` },
    async fetch(input, init) {
      const response = await fetch(input, init);
      if (response.body === null || !response.ok) return response;
      const [mine, theirs] = response.body.tee();
      reads.push(read(mine, seen));
      return new Response(theirs, { status: response.status, headers: response.headers });
    },
  });
  const root = createRoot(newContainer());
  const Page = () => {
    chat = useChat<UIMessage>({ transport, ...options } as Options);
    queueMicrotask(() => {
      for (const watcher of watchers) watcher();
    });
    return null;
  };
  root.render(createElement(Page));
  const until = (holds: (chat: Chat) => boolean) =>
    new Promise<Chat>((resolve) => {
      const look = () => {
        if (chat === undefined || !holds(chat)) return;
        watchers.delete(look);
        resolve(chat);
      };
      watchers.add(look);
      look();
    });
  await until(() => true);
  return {
    seen,
    until,
    get chat() {
      return chat!;
    },
    ready: (holds = () => true) => until((one) => (one.status === "ready" || one.status === "error") && holds(one)),
    async close() {
      root.unmount();
      await Promise.all(reads);
    },
  };
}
