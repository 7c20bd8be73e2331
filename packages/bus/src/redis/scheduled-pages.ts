import type { RawScheduled } from "../backend.ts";

/** Members of `due` in one page. */
const PAGE = 500;

/**
 * Envelopes for later, partition by partition; a cursor is `<partition>:<position>`. @param ask - one page of a
 * partition
 */
export async function readScheduled(
  partitions: number,
  ask: (partition: number, args: readonly string[]) => Promise<unknown>,
  limit: number,
  after: string,
): Promise<{ entries: RawScheduled[]; cursor: string | undefined }> {
  const entries: RawScheduled[] = [];
  const [first = 0, from = 0] = after === "" ? [] : after.split(":").map(Number);
  for (let partition = first, position = from; partition < partitions;) {
    if (entries.length >= limit) return { entries, cursor: `${partition}:${position}` };
    const size = Math.min(PAGE, limit - entries.length);
    const [next, ...found] = (await ask(partition, ["scheduled", String(position), String(size)])) as [
      number,
      ...string[],
    ];
    for (let i = 0; i < found.length; i += 2) entries.push({ at: Number(found[i]), body: found[i + 1]! });
    if (next >= 0) position = next;
    else [partition, position] = [partition + 1, 0];
  }
  return { entries, cursor: undefined };
}

/** Makes ready what waits for a retry. @param ask - one page of a space */
export async function retryAllNow(
  spaces: readonly string[],
  ask: (space: string, args: readonly string[]) => Promise<unknown>,
): Promise<number> {
  let total = 0;
  for (const space of spaces) {
    for (let from = 0; from >= 0;) {
      const [next, count] = (await ask(space, ["retry-now", String(from), String(PAGE)])) as [number, number];
      total += count;
      from = next;
    }
  }
  return total;
}
