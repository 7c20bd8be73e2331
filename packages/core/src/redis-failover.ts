/** Answers of a Redis server that is no longer, or not yet, the one to write to. */
const WORDS = "READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|UNBLOCKED";

/** Plain, behind `ERR` as some managed services send it, and inside the error of a script. */
const FAILOVER = new RegExp(`^(?:-?ERR )?-?(?:${WORDS})\\b|^ERR Error running script .*: -(?:${WORDS})\\b`);

/**
 * Whether an error says that the server was demoted, is loading its data or has lost its master or its cluster. Nothing
 * was written: drop the connection, connect again (the address may name another server by now) and send the command
 * again.
 *
 * @example
 * ```ts
 * import { redisFailover } from "@hebra/core";
 *
 * redisFailover(new Error("READONLY You can't write against a read only replica.")); // true
 * redisFailover(new Error("WRONGTYPE Operation against a key")); // false
 * ```
 */
export function redisFailover(error: unknown): boolean {
  return error instanceof Error && FAILOVER.test(error.message);
}

/** What {@link dropRedisConnections} uses of an ioredis `Redis` or `Cluster`. */
export interface DroppableRedis {
  readonly isCluster?: boolean;
  /** The socket, where there is one. */
  readonly stream?: { destroy?(): unknown } | undefined;
}

interface ClusterNodes {
  nodes(role: "all"): (DroppableRedis & { readonly commandQueue?: { readonly length: number } })[];
}

/**
 * Drops the sockets of an ioredis client, which then connects again by itself and repeats what has no answer. Of a
 * cluster, only those of nodes that owe an answer.
 */
export function dropRedisConnections(client: DroppableRedis): void {
  if (client.isCluster !== true) return void client.stream?.destroy?.();
  for (const node of (client as unknown as ClusterNodes).nodes("all")) {
    if (node.commandQueue?.length !== 0) node.stream?.destroy?.();
  }
}
