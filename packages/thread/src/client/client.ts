import { createHttp } from "./http.ts";
import { timer as platformTimer, type FetchLike, type Timer } from "./platform.ts";
import { createThread, type ClientThread } from "./thread.ts";
import type { Approval, ListedThread } from "./types.ts";

/** How {@link createThreadClient} is made. */
export interface ThreadClientOptions {
  /** Where `createThreadHandler` answers, with its `basePath`, without a slash at the end. */
  url: string;
  /** Credentials, asked for before each request. @defaultValue none */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
  /** @defaultValue the platform's */
  fetch?: FetchLike;
  /** `false` where responses cannot be streamed: answers are then waited for. @defaultValue true */
  stream?: boolean;
  /** The definition that new messages start. @defaultValue the server's first */
  thread?: string;
  /** @defaultValue `setTimeout` */
  timer?: Timer;
  /** From 0 to 1, for back-off. @defaultValue Math.random */
  random?: () => number;
}

/** The conversations of a server. */
export interface ThreadClient {
  /** One conversation: the same object for the same key. */
  thread(key: string): ClientThread;
  /** A page of conversations, newest change first. @throws ThreadRequestError */
  threads(options?: {
    limit?: number;
    cursor?: string;
    status?: string;
    q?: string;
  }): Promise<{ threads: ListedThread[]; cursor: string | null }>;
  /** A page of pending approvals. @throws ThreadRequestError */
  approvals(options?: { limit?: number; cursor?: string }): Promise<{ approvals: Approval[]; cursor: string | null }>;
  /** Answers an approval. @throws ThreadRequestError */
  decide(
    approvalId: string,
    decision: "approved" | "denied",
    options?: { input?: unknown; output?: unknown; comment?: string },
  ): Promise<Approval>;
}

/**
 * A client of `createThreadHandler` for browsers, Node.js and React Native. It needs nothing but `fetch`.
 *
 * @example
 * ```ts
 * import { createThreadClient } from "@hebra/thread/client";
 *
 * const client = createThreadClient({ url: "/api", headers: () => ({ authorization: "Bearer 8d1f" }) });
 * const thread = client.thread("ana:1");
 * thread.subscribe(() => console.log(thread.getSnapshot().messages.at(-1)?.parts));
 * thread.send("Where is my order?");
 * ```
 */
export function createThreadClient(options: ThreadClientOptions): ThreadClient {
  const { url, headers = () => ({}), fetch, stream = true, thread: definition } = options;
  const { timer = platformTimer, random = Math.random } = options;
  const http = createHttp(url, headers, fetch);
  const threads = new Map<string, ClientThread>();
  return {
    thread(key) {
      const thread = threads.get(key) ?? createThread(key, { http, timer, random, streams: stream, definition });
      threads.set(key, thread);
      return thread;
    },
    threads: (query = {}) => http.json("GET", `/threads${queryOf(query)}`),
    approvals: (query = {}) => http.json("GET", `/approvals${queryOf(query)}`),
    decide: (id, decision, more = {}) =>
      http.json("POST", `/approvals/${encodeURIComponent(id)}`, { decision, ...more }),
  };
}

const queryOf = (query: Record<string, string | number | undefined>): string => {
  const set = Object.entries(query).filter(([, value]) => value !== undefined);
  return set.length === 0 ? "" : `?${set.map(([name, value]) => `${name}=${encodeURIComponent(value!)}`).join("&")}`;
};
