import { startRedis } from "@hebra/test-servers/redis";
import fc from "fast-check";
import { Redis } from "ioredis";
import { scriptsAnswerAsTheModel } from "../../packages/bus/src/testing/model-check.fixture.ts";
import type { Bars } from "./bars.ts";

/**
 * Random steps in logical time against the state machine of the local bus and the scripts on a server, side by side.
 */
export async function checkModel(seed: number, runs: number, bars: Bars): Promise<string> {
  const server = await startRedis();
  const client = new Redis(server.url);
  try {
    const { failed, numRuns, counterexamplePath, errorInstance } = await fc.check(
      scriptsAnswerAsTheModel(client, server.admin),
      { seed, numRuns: runs },
    );
    bars.none("model-violations", failed ? 1 : 0, "runs");
    bars.some("model-runs", numRuns, "runs");
    return failed
      ? `seed ${seed}, path ${counterexamplePath}: ${String(errorInstance)}`
      : `seed ${seed}, ${numRuns} runs, local and Redis answer alike`;
  } finally {
    client.disconnect();
    await server.stop();
  }
}
