import type { Clock } from "@hebra/core";
import type { BreakerOptions } from "./options.ts";

/** The brake of one flag in this process. */
export interface Breaker {
  /** Books one turn of the new engine. */
  record(ok: boolean): void;
  close(): void;
}

/**
 * Opens after `consecutive` failures in a row, or when the share of failures in a full window is reached; closes by
 * itself after `openMs`, which
 * doubles with each trip that follows before a full window of turns went well.
 */
export function createBreaker(input: {
  readonly options: Required<BreakerOptions>;
  readonly clock: Clock;
  readonly opened: (forMs: number, cause: "consecutive" | "share") => void;
  readonly closed: () => void;
}): Breaker {
  const { options, clock, opened, closed } = input;
  let recent: boolean[] = [];
  let inRow = 0;
  let goodSinceTrip = 0;
  let trips = 0;
  let open = false;
  let cancel = () => {};
  const trip = (cause: "consecutive" | "share") => {
    const forMs = options.openMs * 2 ** Math.min(trips, 5);
    open = true;
    trips++;
    recent = [];
    inRow = goodSinceTrip = 0;
    cancel = clock.after(forMs, () => {
      open = false;
      closed();
    });
    opened(forMs, cause);
  };
  return {
    record(ok) {
      // Turns that were in flight when it opened say nothing new.
      if (open) return;
      recent.push(ok);
      if (recent.length > options.window) recent.shift();
      inRow = ok ? 0 : inRow + 1;
      goodSinceTrip = ok ? goodSinceTrip + 1 : 0;
      if (goodSinceTrip >= options.window) trips = 0;
      if (inRow >= options.consecutive) return trip("consecutive");
      const failures = recent.filter((each) => !each).length;
      if (recent.length === options.window && failures / options.window >= options.share) trip("share");
    },
    close: () => cancel(),
  };
}
