import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type IsOn = (context: never) => boolean | Promise<boolean>;
type Loop = (isOn: IsOn, contexts: readonly unknown[], times: number) => number | Promise<number>;

/**
 * A loop of its own for each subject: one shared by all would see seven callees, and the compiler would inline none.
 */
export function makeLoop(isAsync: boolean): Loop {
  const wait = isAsync ? "await " : "";
  const body = `return ${isAsync ? "async " : ""}function loop(isOn, contexts, times) {
    const mask = contexts.length - 1;
    let on = 0;
    for (let i = 0; i < times; i++) if (${wait}isOn(contexts[i & mask])) on++;
    return on;
  }`;
  return (new Function(body) as () => Loop)();
}

/**
 * Nanoseconds of processor time a call, collection of garbage included. On a machine of one's own that is the time that
 * passes; on one that is
 * shared it leaves the waiting out.
 */
export async function nanoseconds(
  loop: Loop,
  isOn: IsOn,
  contexts: readonly unknown[],
  times: number,
): Promise<number> {
  const before = process.cpuUsage();
  await loop(isOn, contexts, times);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / times;
}

/** Bytes allocated a call, over `times` calls: in batches small enough that no collection falls into one. */
export function bytesAllocated(run: (times: number) => void, times: number): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const batch = 10_000;
  run(200_000);
  const measure = (work: () => void) => {
    let bytes = 0;
    for (let done = 0; done < times; done += batch) {
      collect();
      const before = process.memoryUsage().heapUsed;
      work();
      bytes += process.memoryUsage().heapUsed - before;
    }
    return bytes / times;
  };
  // What asking for the memory's use allocates itself is no part of it.
  const asking = measure(() => {});
  return measure(() => run(batch)) - asking;
}
