import { parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import { ENDED_MS, KEPT_BATCHES, PAGE_BATCHES, turnKey, type LiveTail, type TailRecord } from "../stream/live-tail.ts";
import { createTailWatchers } from "../stream/tail-watchers.ts";

export type { LiveTail, TailPage, TailRecord, TailTurn } from "../stream/live-tail.ts";

/** How {@link memoryTail} is made. */
export interface MemoryTailOptions {
  /** @defaultValue the system's */
  clock?: Clock;
}

const schema = z.strictObject({ clock: z.custom<Clock>().optional() });

/**
 * A live tail for the engines of one process. An engine reads its own turns without one.
 *
 * @throws HebraError `INVALID_OPTIONS`
 */
export function memoryTail(options: MemoryTailOptions = {}): LiveTail {
  const { clock = systemClock } = parseOptions("memoryTail", schema, options);
  const turns = new Map<string, { dropped: number; batches: (readonly TailRecord[])[] }>();
  const watchers = createTailWatchers();
  return {
    async append(turn, records) {
      const key = turnKey(turn);
      const kept = turns.get(key) ?? { dropped: 0, batches: [] };
      turns.set(key, kept);
      kept.batches.push(records);
      if (kept.batches.length > KEPT_BATCHES) {
        kept.batches.shift();
        kept.dropped++;
      }
      watchers.notify(key);
    },
    async read(turn, after) {
      const kept = turns.get(turnKey(turn));
      if (kept === undefined) return { records: [], position: after };
      const from = Math.max(0, Number(after ?? 0) - kept.dropped);
      const batches = kept.batches.slice(from, from + PAGE_BATCHES);
      return { records: batches.flat(), position: String(kept.dropped + from + batches.length) };
    },
    watch: (turn, onNews) => watchers.watch(turnKey(turn), onNews),
    async end(turn) {
      const key = turnKey(turn);
      const kept = turns.get(key);
      clock.after(ENDED_MS, () => turns.get(key) === kept && turns.delete(key));
    },
    async close() {
      turns.clear();
    },
  };
}
