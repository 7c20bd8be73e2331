import { HebraError } from "@hebra/core";
import type { Entry, EntryStatus, Space } from "../backend.ts";
import type { Durability } from "../bus.ts";
import { entryArgs } from "./encode.ts";
import { createPublishQueue } from "./publish-queue.ts";
import { within, wrapRedisError } from "./run.ts";
import { scripts } from "./scripts.generated.ts";
import { noteAnswer, runScript, scriptTime, type RedisState } from "./state.ts";

/** What became of a publish. */
export interface Published {
  readonly statuses: EntryStatus[];
  readonly durable: boolean;
}

/** Publishes entries of one space and partition at a durability. */
export async function publishEntries(
  state: RedisState,
  space: Space,
  partition: number,
  entries: readonly Entry[],
  durability: string,
): Promise<Published> {
  if (durability !== "memory") return publishAndWait(state, space, partition, entries, durability as Durability);
  const key = `${partition} ${space}`;
  let queue = state.queues.get(key);
  if (queue === undefined) {
    queue = createPublishQueue((batch) => publishBatch(state, space, partition, batch));
    state.queues.set(key, queue);
  }
  return { statuses: await queue(entries), durable: true };
}

async function publishBatch(
  state: RedisState,
  space: Space,
  partition: number,
  batch: readonly Entry[],
): Promise<EntryStatus[]> {
  // A consumer of this process claims right behind it, on the same connection: the server need wake nobody.
  const willClaim = state.listener?.willClaim(space, partition) === true;
  const args = (claims: boolean) => publishArgs(state, space, batch, { touch: false, willClaim: claims });
  const published = runScript(state, scripts.publish, partition, space, args(willClaim), () => args(false));
  state.listener?.ready(space, partition);
  return statusesOf(await published);
}

function publishArgs(
  { options: { settings } }: RedisState,
  space: Space,
  entries: readonly Entry[],
  { touch, willClaim }: { touch: boolean; willClaim: boolean },
): string[] {
  const args = [
    String(settings.maxBacklog),
    settings.overflow === "drop-oldest" ? "1" : "0",
    String(settings.dedupWindowMs),
    String(settings.maxDeadLetters),
    touch ? "1" : "0",
    willClaim ? "1" : "0",
  ];
  for (const entry of entries) args.push(...entryArgs(space, entry));
  return args;
}

function statusesOf(reply: unknown): EntryStatus[] {
  return (reply as number[]).map((status) => (status === 0 ? "accepted" : status === 1 ? "duplicate" : "full"));
}

/** On a connection of its own: `WAIT` counts the replicas that have what this connection wrote. */
async function publishAndWait(
  state: RedisState,
  space: Space,
  partition: number,
  entries: readonly Entry[],
  durability: Durability,
): Promise<Published> {
  assertDurability(state, durability);
  const { options } = state;
  const wait =
    durability === "fsync"
      ? ["WAITAOF", "1", "0", String(options.durabilityTimeoutMs)]
      : ["WAIT", String(options.replicas), String(options.durabilityTimeoutMs)];
  const connection = (state.waitingConnection ??= state.commands.waiting());
  const args = [scriptTime(state), space, ...publishArgs(state, space, entries, { touch: true, willClaim: false })];
  const [reply, reached] = await within(
    options.requestTimeoutMs + options.durabilityTimeoutMs,
    connection.run(scripts.publish.source, state.roots[partition]!, args, wait),
  ).catch((error: unknown) => {
    connection.close();
    if (state.waitingConnection === connection) state.waitingConnection = undefined;
    const failure = wrapRedisError(error);
    noteAnswer(state, failure.code === "SERVER_REFUSED" ? undefined : failure);
    throw failure;
  });
  noteAnswer(state);
  return { statuses: statusesOf(reply), durable: reached[0]! >= (durability === "fsync" ? 1 : options.replicas) };
}

/** @throws HebraError `DURABILITY_UNSUPPORTED` where the server is too old for it. */
export function assertDurability({ serverVersion }: RedisState, durability: string): void {
  const [major = 0, minor = 0] = serverVersion.split(".").map(Number);
  if (durability === "fsync" && (major < 7 || (major === 7 && minor < 2))) {
    throw new HebraError(
      "DURABILITY_UNSUPPORTED",
      `The server is Redis ${serverVersion}; \`fsync\` needs WAITAOF, which came with 7.2. Upgrade it, or ask for \`memory\` or \`replicated\`.`,
      {
        details: { server: serverVersion, durability },
      },
    );
  }
}
