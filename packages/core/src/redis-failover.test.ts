import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { dropRedisConnections, redisFailover } from "./redis-failover.ts";

describe("redisFailover", () => {
  const answers = [
    "READONLY You can't write against a read only replica.",
    "READONLY You can't write against a read only replica. script: 6b1bf48, on @user_script:1.",
    "ERR READONLY You can't write against a read only replica.",
    "-LOADING Redis is loading the dataset in memory",
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "ERR Error running script (call to f_6b1bf48): @user_script:1: -READONLY You can't write against a read only replica.",
  ];
  for (const answer of answers)
    test(`recognises "${answer.slice(0, 40)}" [BU-3]`, () => assert.equal(redisFailover(new Error(answer)), true));

  test("leaves other errors alone, whatever they quote [BU-3]", () => {
    const others = [
      "WRONGTYPE Operation against a key holding the wrong kind of value",
      "ERR unknown command 'READONLY2'",
      "ERR value is not READONLY",
      "OOM command not allowed when used memory > 'maxmemory'.",
      "Connection is closed.",
    ];
    for (const other of others) assert.equal(redisFailover(new Error(other)), false, other);
    assert.equal(redisFailover("READONLY"), false);
  });
});

describe("dropRedisConnections", () => {
  test("of a cluster, drops the nodes that owe an answer [BU-2]", () => {
    const dropped: string[] = [];
    const node = (name: string, length: number) => ({
      commandQueue: { length },
      stream: { destroy: () => dropped.push(name) },
    });
    const cluster = { isCluster: true, nodes: () => [node("a", 0), node("b", 2)] };
    dropRedisConnections(cluster);
    assert.deepEqual(dropped, ["b"]);
    dropRedisConnections({ stream: { destroy: () => dropped.push("single") } });
    dropRedisConnections({});
    assert.deepEqual(dropped, ["b", "single"]);
  });
});
