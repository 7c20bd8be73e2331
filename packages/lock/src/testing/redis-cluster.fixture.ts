import { startRedis, eventually, type TestRedis } from "./redis-server.fixture.ts";

/** Three masters without replicas, each with a third of the slots. */
export async function startCluster(): Promise<{ nodes: TestRedis[]; stop(): Promise<void> }> {
  const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
  const nodes = await Promise.all([1, 2, 3].map(() => startRedis(args)));
  for (const [i, node] of nodes.entries()) {
    await node.admin.call("CLUSTER", "ADDSLOTSRANGE", [0, 5461, 10_923][i]!, [5460, 10_922, 16_383][i]!);
    await node.admin.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
  }
  for (const node of nodes.slice(1)) await nodes[0]!.admin.call("CLUSTER", "MEET", "127.0.0.1", node.port);
  const joined = async (node: TestRedis) => {
    const info = String(await node.admin.call("CLUSTER", "INFO"));
    return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3");
  };
  await eventually(async () => (await Promise.all(nodes.map(joined))).every(Boolean), "the nodes form a cluster", 20_000);
  return { nodes, stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))) };
}
