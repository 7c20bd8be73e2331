import { HebraError } from "@hebra/core";
import type { Entry, EntryStatus, Space } from "../backend.ts";
import { durableQueue } from "./durable-publish.ts";
import { publishArgs, statusesOf } from "./publish-args.ts";
import { createPublishQueue } from "./publish-queue.ts";
import { scripts } from "./scripts.generated.ts";
import { runScript, type RedisState } from "./state.ts";

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
  if (durability !== "memory") {
    assertDurability(state, durability);
    return durableQueue(state, partition, durability as "replicated" | "fsync")(space, entries);
  }
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
