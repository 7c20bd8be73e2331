import type { Entry, EntryStatus, Space } from "../backend.ts";
import type { WaitingConnection } from "./commands.ts";
import { publishArgs, statusesOf } from "./publish-args.ts";
import { within, wrapRedisError } from "./run.ts";
import { scripts } from "./scripts.generated.ts";
import { noteAnswer, scriptTime, type DurableQueue, type RedisState } from "./state.ts";

/** Entries in one call of the script, and in all calls that share one wait. */
const CALL = 256;
const BATCH = 8_192;

interface Waiting {
  readonly space: Space;
  readonly entries: readonly Entry[];
  readonly resolve: (outcome: { statuses: EntryStatus[]; durable: boolean }) => void;
  readonly reject: (error: unknown) => void;
}

/** The queue of a partition and a durability: while one batch waits for replicas, the next gathers. */
export function durableQueue(state: RedisState, partition: number, durability: "replicated" | "fsync"): DurableQueue {
  const key = `${partition} ${durability}`;
  let queue = state.durableQueues.get(key);
  if (queue === undefined) state.durableQueues.set(key, (queue = createDurableQueue(state, partition, durability)));
  return queue;
}

function createDurableQueue(state: RedisState, partition: number, durability: "replicated" | "fsync"): DurableQueue {
  const needed = durability === "fsync" ? 1 : state.options.replicas;
  let waiting: Waiting[] = [];
  let out = false;
  /** Whether the last wait was in vain. Replicas that are gone must not hold every publish for the whole time. */
  let inVain = false;
  let probing = false;

  const waitFor = (replicas: number, ms: number) =>
    durability === "fsync" ? ["WAITAOF", String(replicas), "0", String(ms)] : ["WAIT", String(replicas), String(ms)];
  const callArgs = (space: Space, entries: readonly Entry[]) => [
    scriptTime(state),
    space,
    ...publishArgs(state, space, entries, { touch: true, willClaim: false }),
  ];

  /** Waits beside the publishes until the durability can be reached again. */
  const probe = async () => {
    if (probing) return;
    probing = true;
    const connection = state.commands.waiting();
    const { durabilityTimeoutMs, requestTimeoutMs } = state.options;
    const wait = waitFor(needed, durabilityTimeoutMs);
    const answer = connection.run(scripts.publish.source, state.roots[partition]!, [callArgs("in", [])], wait);
    const [, reached] = await within(requestTimeoutMs + durabilityTimeoutMs, answer).catch(() => [[], [0]] as const);
    connection.close();
    probing = false;
    if (reached[0]! >= needed) inVain = false;
  };

  const send = async (batch: readonly Waiting[]) => {
    const { durabilityTimeoutMs, requestTimeoutMs } = state.options;
    const waited = !inVain;
    if (!waited) void probe();
    const connection = connectionOf(state, partition);
    // Without replicas to wait for, the server answers at once how many there are by chance.
    const wait = waited ? waitFor(needed, durabilityTimeoutMs) : waitFor(0, 1);
    const calls = callsOf(batch).map(({ space, entries }) => callArgs(space, entries));
    try {
      const answer = connection.run(scripts.publish.source, state.roots[partition]!, calls, wait);
      const [replies, reached] = await within(requestTimeoutMs + durabilityTimeoutMs, answer);
      noteAnswer(state);
      const durable = reached[0]! >= needed;
      if (waited && !durable) inVain = true;
      return { statuses: replies.flatMap(statusesOf), durable };
    } catch (error) {
      connection.close();
      if (state.waitingConnections.get(partition) === connection) state.waitingConnections.delete(partition);
      const failure = wrapRedisError(error);
      noteAnswer(state, failure.code === "SERVER_REFUSED" ? undefined : failure);
      throw failure;
    }
  };

  const pump = async () => {
    if (out) return;
    out = true;
    while (waiting.length > 0) {
      const batch = takeBatch(waiting);
      waiting = waiting.slice(batch.length);
      try {
        const { statuses, durable } = await send(batch);
        let from = 0;
        for (const { entries, resolve } of batch)
          resolve({ statuses: statuses.slice(from, (from += entries.length)), durable });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    out = false;
  };

  return (space, entries) =>
    new Promise((resolve, reject) => {
      waiting.push({ space, entries, resolve, reject });
      queueMicrotask(() => void pump());
    });
}

function takeBatch(waiting: readonly Waiting[]): Waiting[] {
  let size = 0;
  let count = 0;
  while (count < waiting.length && (count === 0 || size + waiting[count]!.entries.length <= BATCH))
    size += waiting[count++]!.entries.length;
  return waiting.slice(0, count);
}

/** Neighbours of one space share a call. The order stays; what one caller gave together stays together. */
function callsOf(batch: readonly Waiting[]): { space: Space; entries: Entry[] }[] {
  const calls: { space: Space; entries: Entry[] }[] = [];
  for (const { space, entries } of batch) {
    const last = calls.at(-1);
    if (last !== undefined && last.space === space && last.entries.length + entries.length <= CALL)
      last.entries.push(...entries);
    else calls.push({ space, entries: [...entries] });
  }
  return calls;
}

/** `WAIT` counts the replicas that have what its own connection wrote. */
function connectionOf(state: RedisState, partition: number): WaitingConnection {
  let connection = state.waitingConnections.get(partition);
  if (connection === undefined) state.waitingConnections.set(partition, (connection = state.commands.waiting()));
  return connection;
}
