import { setTimeout as wait } from "node:timers/promises";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis } from "@hebra/test-servers/redis";
import { inMidTurn, type FaultReport } from "./faults.ts";
import { openFourUsers } from "./four-users.ts";
import { now } from "./records.ts";
import type { Stage } from "./stage.ts";

/** Milliseconds until all is well again after connections fell silent. */
const SILENT_MS = 10_000;
/** Milliseconds until all is well again after the address leads to another master. */
const SWITCHED_MS = 2_000;

const worst = (took: Record<string, number>) => Math.max(...Object.values(took));
const told = (took: Record<string, number>) =>
  Object.entries(took)
    .map(([name, ms]) => `${name} ${ms}`)
    .join(", ");

/** All open connections carry nothing any more and stay open; new ones work. */
export async function silenceConnections(stage: Stage): Promise<FaultReport> {
  const users = await openFourUsers(stage);
  try {
    await inMidTurn(stage, stage.workers[0]!);
    const accepted = stage.proxy!.accepted;
    stage.proxy!.silence();
    const took = await users.allWell(now());
    return {
      note: `well again after: ${told(took)} ms`,
      within: { "silent-peer": [worst(took), SILENT_MS] },
      some: { "connections-replaced": stage.proxy!.accepted - accepted },
    };
  } finally {
    await users.close();
  }
}

/** A replica becomes the master without a loss, the address leads to it, and the old master refuses writes. */
export async function switchOver(stage: Stage): Promise<FaultReport> {
  const old = stage.redis;
  const next = await startRedis(["--replicaof", "127.0.0.1", String(old.port)]);
  const users = await openFourUsers(stage);
  try {
    const online = async () => (await old.admin.info("replication")).includes("state=online");
    await eventually(online, "the replica has everything", 20_000);
    await inMidTurn(stage, stage.workers[0]!);
    await old.admin.call("FAILOVER", "TO", "127.0.0.1", next.port);
    while (((await old.admin.call("ROLE")) as unknown[])[0] !== "slave") await wait(5);
    stage.proxy!.pointAt(next.port);
    const switchedAt = now();
    const took = await users.allWell(switchedAt);
    return { note: `well again after: ${told(took)} ms`, within: { "switch-over": [worst(took), SWITCHED_MS] } };
  } finally {
    stage.switchTo(next);
    await users.close();
  }
}
