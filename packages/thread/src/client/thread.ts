import { createBackoff } from "./backoff.ts";
import { ThreadRequestError, type Http, type Sent } from "./http.ts";
import { nextFrame, platform, type Timer } from "./platform.ts";
import { emptyState, reduce, type Change } from "./reduce.ts";
import type { Item, Part, Snapshot, ThreadEvent } from "./types.ts";

/** One conversation, kept up to date while somebody listens. */
export interface ClientThread {
  readonly key: string;
  /** The same object until something changes, at most once a frame. */
  getSnapshot(): Snapshot;
  /** Loads the conversation and follows it. @returns stops listening */
  subscribe(onChange: () => void): () => void;
  /**
   * Shows a message at once and sends it, in the order of the calls; while the server cannot be reached it waits and is
   * tried again under the same id.
   *
   * @returns the message's id
   */
  send(message: string | readonly Part[], options?: { id?: string }): string;
  /** Ends the turn that runs or waits. @throws ThreadRequestError */
  cancel(reason?: string): Promise<void>;
  /** Answers an approval. @throws ThreadRequestError */
  decide(
    approvalId: string,
    decision: "approved" | "denied",
    options?: { input?: unknown; output?: unknown; comment?: string },
  ): Promise<void>;
  /** Loads older messages. @returns whether there are more. @throws ThreadRequestError */
  loadOlder(): Promise<boolean>;
}

export interface ThreadSettings {
  http: Http;
  timer: Timer;
  random: () => number;
  streams: boolean;
  definition: string | undefined;
}

const PAGE = 50;
const WAIT_MS = 30_000;
/** Milliseconds between two looks for messages from elsewhere while nothing runs. */
const IDLE_MS = 5_000;

export function createThread(key: string, { http, timer, random, streams, definition }: ThreadSettings): ClientThread {
  const path = `/threads/${encodeURIComponent(key)}`;
  const listeners = new Set<() => void>();
  const outbox: { id: string; parts: Part[] }[] = [];
  const backoff = createBackoff(timer, random);
  let state = emptyState;
  let shown = state.snapshot;
  let framed = false;
  let sending = false;
  let cursor: string | undefined;
  let oldest: number | undefined;
  let looked = false;
  let cancelIdle = () => {};
  let following: { abort(): void; signal: unknown } | undefined;

  function apply(change: Change): void {
    const next = reduce(state, change);
    if (next === state) return;
    state = next;
    if (framed || state.snapshot === shown) return;
    framed = true;
    nextFrame(() => {
      framed = false;
      shown = state.snapshot;
      for (const listener of listeners) listener();
    });
  }

  async function load(): Promise<void> {
    try {
      const { items } = await http.json<{ items: Item[] }>("GET", `${path}/items?limit=${PAGE}`);
      oldest ??= items[0]?.seq;
      cursor ??= items.at(-1)?.seq.toString();
      apply({ type: "loaded", items });
    } catch (error) {
      if (!isNew(error)) throw error;
    }
  }

  /** Nobody has written in this conversation yet. */
  const isNew = (error: unknown) => error instanceof ThreadRequestError && error.code === "THREAD_NOT_FOUND";

  /** What runs or waits, where events do not say it. */
  async function look(): Promise<void> {
    const { active, approvals } = await http.json<{
      active: { status: string; executionId: string } | null;
      approvals: { id: string; reason: string | null }[];
    }>("GET", path);
    if (active?.status === "waiting") {
      const data = { approvals: approvals.map(({ id, reason }) => ({ approvalId: id, reason })) };
      apply({ type: "event", event: { type: "execution-waiting", executionId: active.executionId, data } });
    } else apply({ type: "status", status: active === null ? "idle" : "running" });
  }

  /** Follows turn after turn, until nothing runs. */
  async function follow(): Promise<void> {
    if (following !== undefined || listeners.size === 0) return;
    const abort = (following = new platform.AbortController());
    const isCurrent = () => following === abort;
    try {
      for (let more = true; more && isCurrent();)
        more = await backoff.retry(() => followOnce(abort), isCurrent, offline);
    } finally {
      if (isCurrent()) following = undefined;
      cancelIdle();
      if (following === undefined && listeners.size > 0) cancelIdle = timer(IDLE_MS, () => void follow().catch(failed));
    }
  }

  const offline = (error: unknown) => {
    if (error instanceof ThreadRequestError && !error.retryable) throw error;
    apply({ type: "status", status: "offline" });
  };

  async function followOnce(abort: { signal: unknown }): Promise<boolean> {
    if (cursor === undefined) await load();
    try {
      const events = streams ? await http.events(`${path}/events`, cursor, abort) : undefined;
      if (events !== undefined) return await readAll(events, abort);
      if (!streams) await load();
      if (!streams || state.snapshot.status !== "idle" || !looked) await look();
      looked = true;
    } catch (error) {
      if (!isNew(error)) throw error;
      if (outbox.length === 0) apply({ type: "status", status: "idle" });
    }
    return false;
  }

  async function readAll(events: AsyncGenerator<Sent>, abort: { signal: unknown }): Promise<boolean> {
    for await (const { id, event, data } of events) {
      if (following !== abort) return false;
      cursor = id ?? cursor;
      if (event === "stream-closed") throw new ThreadRequestError("CLOSED", "The stream was closed.", 503, true);
      apply({ type: "event", event: JSON.parse(data) as ThreadEvent });
      // Somebody else may decide: the next stream says so.
      if (event === "execution-waiting") return true;
      if (event === "execution-ended") {
        await load();
        return true;
      }
    }
    throw new ThreadRequestError("UNREACHABLE", "The stream broke off.", undefined, true);
  }

  function restart(): void {
    following?.abort();
    following = undefined;
    cancelIdle();
    void follow().catch(failed);
  }

  const failed = () => apply({ type: "status", status: "failed" });

  async function flush(): Promise<void> {
    if (sending) return;
    sending = true;
    for (let next = outbox[0]; next !== undefined; next = outbox[0]) {
      const { id, parts } = next;
      const body = { id, parts, ...(definition === undefined ? {} : { thread: definition }) };
      const wait = streams ? "" : `?wait=${WAIT_MS}`;
      try {
        await backoff.retry(
          () => http.json("POST", `${path}/messages${wait}`, body),
          () => true,
          offline,
        );
        apply({ type: "status", status: "running" });
      } catch (error) {
        const { code, message } = error as ThreadRequestError;
        apply({ type: "refused", id, error: { code, message } });
      }
      outbox.shift();
    }
    sending = false;
    if (listeners.size === 0) return;
    if (following === undefined) void follow().catch(failed);
  }

  return {
    key,
    getSnapshot: () => shown,
    subscribe(onChange) {
      const listener = () => onChange();
      listeners.add(listener);
      if (listeners.size === 1) void follow().catch(failed);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        following?.abort();
        following = undefined;
        cancelIdle();
      };
    },
    send(message, { id = platform.crypto.randomUUID() } = {}) {
      const parts: Part[] = typeof message === "string" ? [{ kind: "text", text: message }] : [...message];
      apply({ type: "sent", id, parts });
      outbox.push({ id, parts });
      void flush();
      return id;
    },
    async cancel(reason) {
      await http.json("POST", `${path}/cancel`, reason === undefined ? {} : { reason });
      restart();
    },
    async decide(approvalId, decision, options = {}) {
      await http.json("POST", `/approvals/${encodeURIComponent(approvalId)}`, { decision, ...options });
      restart();
    },
    async loadOlder() {
      if (oldest === undefined) return false;
      const { items } = await http.json<{ items: Item[] }>("GET", `${path}/items?limit=${PAGE}&before=${oldest}`);
      oldest = items[0]?.seq ?? oldest;
      apply({ type: "loaded", items });
      return items.length === PAGE;
    },
  };
}
