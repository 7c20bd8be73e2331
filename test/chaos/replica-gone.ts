import { errorCode } from "@hebra/core";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis } from "@hebra/test-servers/redis";
import type { Bars } from "./bars.ts";
import { now } from "./records.ts";

/** Publishes a second that the policy must hold at. */
const RATE = 1_000;
const AT_ONCE = 100;

type Library = typeof import("./library.ts");

/** Publishing with `durability: "replicated"` while the only replica is gone: the caller's policy must hold. */
export async function replicaGone({ redisBus }: Library, quick: boolean, bars: Bars): Promise<string> {
  const server = await startRedis();
  const replica = await startRedis(["--replicaof", "127.0.0.1", String(server.port)]);
  const bus = redisBus({ url: server.url, durability: "replicated", durabilityTimeoutMs: 500 });
  try {
    const online = async () => (await server.admin.info("replication")).includes("state=online");
    await eventually(online, "the replica is online", 20_000);
    const [before] = await bus.publishInbound({ session: "before", payload: 0 });
    await replica.kill();
    const publishFor = async (ms: number, onDurabilityMissed: "accept" | "refuse") => {
      const outcomes: string[] = [];
      const startedAt = now();
      const publishers = Array.from({ length: 10 * AT_ONCE }, async (_, publisher) => {
        for (let n = 0; now() - startedAt < ms; n++) {
          const message = { session: `${onDurabilityMissed}${publisher % 50}`, payload: n };
          outcomes.push(
            await bus.publishInbound(message, { onDurabilityMissed }).then(
              ([receipt]) => `${receipt!.status}, durable ${receipt!.durable}`,
              (error: unknown) => errorCode(error) ?? String(error),
            ),
          );
        }
      });
      await Promise.all(publishers);
      return { outcomes, rate: outcomes.length / ((now() - startedAt) / 1_000) };
    };
    const accepted = await publishFor(quick ? 2_000 : 5_000, "accept");
    const refused = await publishFor(quick ? 2_000 : 5_000, "refuse");
    const astray = [
      ...accepted.outcomes.filter((outcome) => outcome !== "accepted, durable false"),
      ...refused.outcomes.filter((outcome) => outcome !== "DURABILITY_MISSED"),
    ];
    const stored = (await bus.stats()).inbound.depth;
    bars.none("durability-policy-broken", astray.length + (before!.durable ? 0 : 1), "publishes");
    bars.none(
      "stored-otherwise-without-replica",
      Math.abs(stored - 1 - accepted.outcomes.length - refused.outcomes.length),
      "messages",
    );
    bars.atLeast("publishes-without-replica", Math.min(accepted.rate, refused.rate), RATE, "publishes/s");
    return `${Math.round(accepted.rate)} accepted a second as not durable, ${Math.round(refused.rate)} refused${astray.length === 0 ? "" : `; astray: ${[...new Set(astray)].join("; ")}`}`;
  } finally {
    await bus.close();
    await Promise.all([replica.stop(), server.stop()]);
  }
}
