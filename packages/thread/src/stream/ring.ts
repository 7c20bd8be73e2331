import type { AnyEvent } from "./envelope.ts";

/** Events of a turn that are kept for readers of this process. */
const KEPT = 4_096;

/** What a running turn of this process has published, durable and live, in order. */
export interface Ring {
  push(event: AnyEvent): void;
  /** How many events it holds. */
  readonly size: number;
  /** The events from a position on, at most a page; older ones that are gone are left out. */
  read(from: number): { events: AnyEvent[]; position: number };
}

const PAGE = 256;

export function createRing(): Ring {
  let dropped = 0;
  let events: AnyEvent[] = [];
  return {
    get size() {
      return events.length;
    },
    push(event) {
      events.push(event);
      if (events.length < KEPT * 2) return;
      dropped += events.length - KEPT;
      events = events.slice(-KEPT);
    },
    read(from) {
      const at = Math.max(0, from - dropped);
      const page = events.slice(at, at + PAGE);
      return { events: page, position: dropped + at + page.length };
    },
  };
}
