"use client";
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { Approval, ClientThread, ListedThread, Snapshot, ThreadClient } from "../client/index.ts";

const empty: Snapshot = { messages: [], status: "idle", approvals: [] };
const serverSnapshot = () => empty;

/**
 * One conversation: its snapshot, and its verbs. It renders at most once a frame, and on a server as an empty one.
 *
 * @param client - made once, outside of the component
 */
export function useThread(
  client: ThreadClient,
  key: string,
): Snapshot & Pick<ClientThread, "send" | "cancel" | "decide" | "loadOlder"> {
  const thread = useMemo(() => client.thread(key), [client, key]);
  const snapshot = useSyncExternalStore(thread.subscribe, thread.getSnapshot, serverSnapshot);
  return useMemo(() => {
    const { send, cancel, decide, loadOlder } = thread;
    return { ...snapshot, send, cancel, decide, loadOlder };
  }, [snapshot, thread]);
}

/** A list that grows by pages. */
export interface Page<T> {
  rows: readonly T[];
  /** There is another page. */
  hasMore: boolean;
  loading: boolean;
  error: unknown;
  loadMore(): void;
  /** Reads the first page again. */
  refresh(): void;
}

function usePages<T>(read: (cursor: string | undefined) => Promise<{ rows: T[]; cursor: string | null }>): Page<T> {
  const [state, setState] = useState<{ rows: T[]; cursor: string | null; loading: boolean; error: unknown }>({
    rows: [],
    cursor: null,
    loading: true,
    error: undefined,
  });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true;
    read(undefined).then(
      (page) => current && setState({ ...page, loading: false, error: undefined }),
      (error: unknown) => current && setState((before) => ({ ...before, loading: false, error })),
    );
    return () => {
      current = false;
    };
  }, [read, turn]);
  const { cursor } = state;
  const loadMore = useCallback(() => {
    if (cursor === null) return;
    read(cursor).then(
      (page) =>
        setState((before) =>
          // Asked twice, or refreshed meanwhile: the page is not the next one any more.
          before.cursor === cursor ? { ...before, rows: [...before.rows, ...page.rows], cursor: page.cursor } : before,
        ),
      (error: unknown) => setState((before) => ({ ...before, error })),
    );
  }, [read, cursor]);
  const refresh = useCallback(() => setTurn((before) => before + 1), []);
  const { rows, loading, error } = state;
  return { rows, hasMore: cursor !== null, loading, error, loadMore, refresh };
}

/** The caller's conversations, newest change first. */
export function useThreadList(
  client: ThreadClient,
  { limit, status, q }: { limit?: number; status?: string; q?: string } = {},
): Page<ListedThread> {
  const read = useCallback(
    async (cursor: string | undefined) => {
      const set = Object.entries({ limit, status, q, cursor }).filter(([, value]) => value !== undefined);
      const { threads: rows, cursor: next } = await client.threads(Object.fromEntries(set));
      return { rows, cursor: next };
    },
    [client, limit, status, q],
  );
  return usePages(read);
}

/** The pending approvals of the caller's conversations. Deciding takes one off the list. */
export function useApprovals(
  client: ThreadClient,
): Page<Approval> & { decide(...decision: Parameters<ThreadClient["decide"]>): Promise<void> } {
  const read = useCallback(
    async (cursor: string | undefined) => {
      const page = await client.approvals(cursor === undefined ? {} : { cursor });
      return { rows: page.approvals, cursor: page.cursor };
    },
    [client],
  );
  const pages = usePages(read);
  const { refresh } = pages;
  const decide = useCallback(
    async (...decision: Parameters<ThreadClient["decide"]>) => {
      await client.decide(...decision);
      refresh();
    },
    [client, refresh],
  );
  return { ...pages, decide };
}
