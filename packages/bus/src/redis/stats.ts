import type { Backend, RawStats, Space } from "../backend.ts";
import { gatewayOf } from "../client/bus-core.ts";
import { addStats, emptyStats } from "../raw-stats.ts";
import { firstCount, outboundSpaces } from "./recount.ts";
import { retryAllNow } from "./scheduled-pages.ts";
import { runAdmin, type RedisState } from "./state.ts";

/** Conversations whose age is looked at, about. */
const SAMPLE = "100";

/** The figures of the whole bus. */
export async function readStats(state: RedisState): ReturnType<Backend["stats"]> {
  if (!state.config.counted) await firstCount(state);
  const inbound = emptyStats();
  const outbound = emptyStats();
  const waiting = new Set<string>();
  const times = await Promise.all(
    state.roots.map(async (root, partition) => {
      const spaces = await outboundSpaces(state, root);
      const { stats, now } = await spaceStats(state, partition, "in");
      addStats(inbound, stats);
      for (const space of spaces) {
        const own = (await spaceStats(state, partition, space)).stats;
        addStats(outbound, own);
        if (own.depth + own.scheduled > 0) waiting.add(gatewayOf(space));
      }
      return now;
    }),
  );
  const dead = await state.deadLetters!.count();
  return { inbound, outbound, dead, now: Math.max(...times), gateways: [...waiting].sort() };
}

async function spaceStats(
  state: RedisState,
  partition: number,
  space: Space,
): Promise<{ stats: RawStats; now: number }> {
  const reply = (await runAdmin(state, partition, space, ["stats", SAMPLE])) as (number | string)[];
  const [depth, inFlight, delayed, parked, scheduled, now, oldest, waiting] = reply.map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const time = (at: number) => (at < 0 ? undefined : at);
  const ages = { oldestEnqueuedAt: time(oldest), oldestWaitingEnqueuedAt: time(waiting) };
  return { stats: { depth, inFlight, delayed, parked, scheduled, ...ages }, now };
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
