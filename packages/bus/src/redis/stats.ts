import type { Backend, RawStats, Space } from "../backend.ts";
import { gatewayOf } from "../client/bus-core.ts";
import { addStats, earlier, emptyStats } from "../client/bus-stats.ts";
import { retryAllNow } from "./scheduled-pages.ts";
import { runAdmin, type RedisState } from "./state.ts";

/** Conversations in one page of figures. */
const PAGE = 500;

/** The outbound spaces of a partition that were ever used. */
async function outboundSpaces({ run, commands }: RedisState, root: string): Promise<string[]> {
  return (await run.bound(() => commands.call("SMEMBERS", `${root}gws`))) as string[];
}

/** The figures of the whole bus. */
export async function readStats(state: RedisState): ReturnType<Backend["stats"]> {
  const inbound = emptyStats();
  const outbound = emptyStats();
  const waiting = new Set<string>();
  const times = await Promise.all(
    state.roots.map(async (root, partition) => {
      const spaces = await outboundSpaces(state, root);
      const now = await pageStats(state, partition, "in", inbound);
      for (const space of spaces) {
        const own = emptyStats();
        await pageStats(state, partition, space, own);
        addStats(outbound, own);
        if (own.depth + own.scheduled > 0) waiting.add(gatewayOf(space));
      }
      return now;
    }),
  );
  const dead = await state.deadLetters!.count();
  return { inbound, outbound, dead, now: Math.max(...times), gateways: [...waiting].sort() };
}

async function pageStats(state: RedisState, partition: number, space: Space, stats: RawStats): Promise<number> {
  let now = 0;
  for (let from = 0; from >= 0;) {
    const reply = (await runAdmin(state, partition, space, ["count", String(from), String(PAGE)])) as [
      number,
      number,
      string,
      number,
      number,
      number,
      number,
      string,
      string,
    ];
    const [next, depth, oldest, inFlight, delayed, parked, scheduled, at, waiting] = reply;
    stats.depth += depth;
    stats.inFlight += inFlight;
    stats.delayed += delayed;
    stats.parked += parked;
    stats.scheduled += scheduled;
    stats.oldestEnqueuedAt = earlier(stats.oldestEnqueuedAt, Number(oldest) < 0 ? undefined : Number(oldest));
    stats.oldestWaitingEnqueuedAt = earlier(
      stats.oldestWaitingEnqueuedAt,
      Number(waiting) < 0 ? undefined : Number(waiting),
    );
    now = Number(at);
    from = next;
  }
  return now;
}

/** Makes ready what waits for a retry, in every space. @returns how many conversations there were */
export async function retryNow(state: RedisState): Promise<number> {
  const counts = await Promise.all(
    state.roots.map(async (root, partition) => {
      const spaces = ["in", ...(await outboundSpaces(state, root))];
      return retryAllNow(spaces, (space, args) => runAdmin(state, partition, space, [...args, state.limitFlag]));
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
