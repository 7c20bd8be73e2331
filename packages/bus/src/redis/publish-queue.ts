import type { Entry, EntryStatus } from "../backend.ts";

/** Entries in one script call at most, unless one call of the caller brings more. */
const BATCH = 256;

/** Script calls that are out at once. While they are, the next gathers. */
const IN_FLIGHT = 2;

/**
 * So many calls of callers are worth a script call of their own beside another: the server works while the next is
 * made.
 */
const WORTH_SHARING = 8;

interface Waiting {
  readonly entries: readonly Entry[];
  readonly resolve: (statuses: EntryStatus[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Joins the publications of one space and partition that come close together into one script call. */
export function createPublishQueue(
  send: (entries: readonly Entry[]) => Promise<EntryStatus[]>,
): (entries: readonly Entry[]) => Promise<EntryStatus[]> {
  let waiting: Waiting[] = [];
  let out = 0;
  let queued = false;

  const pump = () => {
    queued = false;
    while (waiting.length > 0 && out < IN_FLIGHT) {
      const share =
        waiting.length >= 2 * WORTH_SHARING ? Math.ceil(waiting.length / (IN_FLIGHT - out)) : waiting.length;
      let size = 0;
      let count = 0;
      while (count < share && (count === 0 || size + waiting[count]!.entries.length <= BATCH))
        size += waiting[count++]!.entries.length;
      const batch = waiting.slice(0, count);
      waiting = waiting.slice(count);
      out++;
      send(batch.length === 1 ? batch[0]!.entries : batch.flatMap((call) => call.entries))
        .then(
          (statuses) => {
            let from = 0;
            for (const call of batch) call.resolve(statuses.slice(from, (from += call.entries.length)));
          },
          (error: unknown) => {
            for (const call of batch) call.reject(error);
          },
        )
        .finally(() => {
          out--;
          pump();
        });
    }
  };

  return (entries) =>
    new Promise((resolve, reject) => {
      waiting.push({ entries, resolve, reject });
      if (queued || out >= IN_FLIGHT) return;
      queued = true;
      queueMicrotask(pump);
    });
}
