import type { Space } from "../backend.ts";
import { pause, runAdmin, type RedisState } from "./state.ts";

/** Conversations in one page of a recount: about a millisecond of the server's time. */
const PAGE = "200";

/**
 * Milliseconds between two recounts of a fleet. Scripts keep the counts; those of an older version of this library, in
 * a rolling deploy, do not.
 */
const EVERY_MS = 600_000;

/** Milliseconds for which a first count is reserved for one process. */
const FIRST_MS = 60_000;

/** The outbound spaces of a partition that were ever used. */
export async function outboundSpaces({ run, commands }: RedisState, root: string): Promise<string[]> {
  return (await run.bound(() => commands.call("SMEMBERS", `${root}gws`))) as string[];
}

/** Corrects the kept counts by counting, in short pages, when it is time: one process of the fleet does. */
export async function correctCounts(state: RedisState): Promise<void> {
  if (!state.config.counted) return firstCount(state);
  if (performance.now() - state.recountedAt < EVERY_MS) return;
  state.recountedAt = performance.now();
  if (await reserve(state, "recount", EVERY_MS / 2)) await correctSpaces(state, false);
}

/** Counts what an older version left in the namespace. Others wait for the one that counts. */
export async function firstCount(state: RedisState): Promise<void> {
  const key = `${state.options.namespace}:cfg`;
  while (!state.config.counted && !state.closing.signal.aborted) {
    if (await reserve(state, "first-count", FIRST_MS)) {
      await correctSpaces(state, true);
      await state.run.bound(() => state.commands.call("HSET", key, "counted", "1"));
    } else {
      await pause(50);
    }
    const counted = (await state.run.bound(() => state.commands.call("HGET", key, "counted"))) === "1";
    state.config = { ...state.config, counted };
  }
}

async function reserve({ options, run, commands, holder }: RedisState, what: string, ms: number): Promise<boolean> {
  const key = `${options.namespace}:${what}`;
  return (await run.bound(() => commands.call("SET", key, holder, "NX", "PX", String(ms)))) === "OK";
}

async function correctSpaces(state: RedisState, first: boolean): Promise<void> {
  for (const [partition, root] of state.roots.entries()) {
    for (const space of ["in", ...(await outboundSpaces(state, root))])
      await correctSpace(state, partition, space, first);
  }
}

/** What was found on the pages of one space, and the kept counts as they were at the last of them. */
interface Recount {
  readonly found: readonly [depth: number, inFlight: number, parkedTenants: number];
  readonly kept: readonly [depth: number, inFlight: number, parkedTenants: number];
  /** Whether nothing changed from the first page to the last. */
  readonly still: boolean;
}

/** What moves while it is counted may be missed or met twice: such a count is good for nothing but a first one. */
async function correctSpace(state: RedisState, partition: number, space: Space, first: boolean): Promise<void> {
  const { found, kept, still } = await recount(state, partition, space);
  const corrections = found.map((count, i) => count - kept[i]!);
  if ((!still && !first) || corrections.every((correction) => correction === 0)) return;
  await runAdmin(state, partition, space, ["correct", ...corrections.map(String)]);
}

async function recount(state: RedisState, partition: number, space: Space): Promise<Recount> {
  let [depth, inFlight] = [0, 0];
  const tenants: string[] = [];
  const seen = new Set<string>();
  for (let from = 0; ;) {
    const reply = await runAdmin(state, partition, space, ["recount", String(from), PAGE, ...tenants]);
    const [next, messages, leases, ...rest] = reply as [
      number,
      number,
      number,
      string,
      string,
      string,
      string,
      string[],
    ];
    const [keptDepth, keptLeased, keptTenants, fence, members] = rest;
    depth += messages;
    inFlight += leases;
    tenants.push(...members);
    seen.add([keptDepth, keptLeased, keptTenants, fence].join(" "));
    if (next < 0) {
      const kept = [keptDepth, keptLeased, keptTenants].map(Number) as unknown as Recount["kept"];
      return { found: [depth, inFlight, tenants.length], kept, still: seen.size === 1 };
    }
    from = next;
  }
}
