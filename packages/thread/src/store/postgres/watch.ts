import type { Clock } from "@hebra/core";
import { createWatchers, type Watchers } from "../watchers.ts";
import type { PostgresPort } from "./port.ts";

/** How often to look while nobody tells us, and, to be safe, while somebody does, in milliseconds. */
const POLL_MS = 250;
const LISTENING_POLL_MS = 2_000;
/** How long to wait before listening is tried again. */
const RETRY_MS = 1_000;

/** Inbox news: by NOTIFY where that works, and by looking, which always does, while somebody watches. */
export function createWatch(
  port: PostgresPort,
  schema: string,
  channel: string,
  clock: Clock,
): Pick<Watchers, "watch"> & { close(): Promise<void> } {
  const seen = new Map<string, number>();
  let stop: (() => Promise<void>) | undefined;
  let starting: Promise<void> | undefined;
  let cancelPoll: (() => void) | undefined;
  let cancelRetry: (() => void) | undefined;
  let closed = false;

  const watchers = createWatchers((some) => {
    cancelPoll?.();
    cancelPoll = undefined;
    if (!some) return seen.clear();
    if (stop === undefined) listen();
    poll();
  });

  const listen = () => {
    if (closed || starting !== undefined || stop !== undefined) return;
    const lost = () => {
      stop = undefined;
      if (!closed && watchers.watched().length > 0) cancelRetry = clock.after(RETRY_MS, listen);
    };
    starting = port
      .listen(channel, hear, lost)
      .then(
        async (end) => {
          if (closed) await end().catch(() => undefined);
          else stop = end;
        },
        () => lost(),
      )
      .finally(() => (starting = undefined));
  };

  const hear = (payload: string) => {
    try {
      const [tenant, contextId] = JSON.parse(payload) as [string, string];
      watchers.notify(tenant, contextId);
    } catch {
      // Not ours: somebody else used the channel.
    }
  };

  const poll = () => {
    cancelPoll = clock.after(stop === undefined ? POLL_MS : LISTENING_POLL_MS, () => {
      void look().finally(() => {
        if (!closed && cancelPoll !== undefined) poll();
      });
    });
  };

  const look = async () => {
    const watched = watchers.watched();
    if (watched.length === 0) return;
    try {
      // Each context by its key, whatever the planner thinks of the table's size.
      const one = `SELECT tenant, id, inbox_seq::float8 FROM "${schema}".thread_contexts WHERE tenant = e ->> 0 AND id = e ->> 1 OFFSET 0`;
      const text = `SELECT found.* FROM json_array_elements($1::json) AS e CROSS JOIN LATERAL (${one}) AS found`;
      const rows = await port.query(
        text,
        [JSON.stringify(watched.map(({ tenant, contextId }) => [tenant, contextId]))],
        "hebra_inbox_poll",
      );
      for (const [tenant, contextId, inboxSeq] of rows as [string, string, number][]) {
        const key = JSON.stringify([tenant, contextId]);
        const before = seen.get(key);
        seen.set(key, inboxSeq);
        // The first look may be late: better to call for nothing.
        if (before !== inboxSeq) watchers.notify(tenant, contextId);
      }
    } catch {
      // The next look, or the next call of the store, will tell.
    }
  };

  return {
    watch: watchers.watch,
    async close() {
      closed = true;
      cancelRetry?.();
      watchers.close();
      cancelPoll?.();
      await starting;
      await stop?.().catch(() => undefined);
    },
  };
}
