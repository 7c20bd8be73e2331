import { setTimeout as wait } from "node:timers/promises";
import { errorCode } from "@hebra/core";
import { inMidTurn, moment, open, type FaultReport } from "./faults.ts";
import { now } from "./records.ts";
import { LEASE_MS, type Stage } from "./stage.ts";

/** Milliseconds in which turns that were under way must have ended. */
const PATIENCE_MS = 20_000;

/** Redis has no memory left while turns are under way, for longer than their leases. They must end all the same. */
export async function fillMemory(stage: Stage): Promise<FaultReport> {
  const { redis, workers } = stage;
  await inMidTurn(stage, workers[0]!, 5);
  await redis.admin.config("SET", "maxmemory", "1");
  const fullAt = now();
  try {
    const held = workers.flatMap(({ pid }) => open(stage.log(), pid));
    const probe = { session: "memory-full", tenant: "default", payload: { kind: "probe" } };
    const refused = await stage.runtime.bus.publishInbound(probe).then(() => "accepted", errorCode);
    const left = () => {
      const ended = new Set(stage.log().flatMap((line) => (line.event === "end" ? [line.attempt] : [])));
      return held.filter(({ attempt }) => !ended.has(attempt));
    };
    await moment(() => (left().length === 0 ? true : undefined), PATIENCE_MS);
    await wait(Math.max(0, fullAt + 2 * LEASE_MS - now()));
    const nonces = new Set(held.map(({ nonce }) => nonce));
    const again = stage.log().filter((line) => line.event === "start" && line.at > fullAt && nonces.has(line.nonce));
    return {
      note: `${held.length} turns under way, ${left().length} of them unfinished, ${again.length} begun again; publishing: ${refused}; full for ${Math.round(now() - fullAt)} ms`,
      none: {
        "unfinished-without-memory": left().length,
        "accepted-without-memory": refused === "accepted" ? 1 : 0,
      },
      // A lease that a starved process could not renew.
      few: { "begun-again-without-memory": again.length },
      some: { "turns-without-memory": held.length },
    };
  } finally {
    await redis.admin.config("SET", "maxmemory", "0");
  }
}
