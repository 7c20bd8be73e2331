import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Bus } from "@hebra/bus";
import { withoutRedisServer } from "@hebra/test-servers/redis";
import { describe, expect, it } from "vitest";
import type { RuntimeConfig } from "../config.ts";
import { database, moveBench, soon, TIME } from "./move-to-local.fixture.ts";
import type { MoveProgress } from "./types.ts";

/** Moves a deployment with everything that can wait back from one store. */
export function movesWhole(store: "redis" | "postgres"): void {
  const missing = withoutRedisServer !== undefined || (store === "postgres" && database === undefined);
  describe.skipIf(missing)(`moving back to local from ${store}`, () => {
    const { directory, distributed, move, goLocal, fill, check, total } = moveBench();

    it(
      "with everything that can wait: nothing is lost, the order is kept, in under five minutes",
      async () => {
        const config = distributed(store);
        const expected = await fill(config);
        const progress: MoveProgress[] = [];
        const report = await move(config, { onProgress: (one) => progress.push(one) });
        expect(report.ms).toBeLessThan(300_000);
        expect(report.steps.map(({ step }) => step)).toEqual([
          "check",
          "pause",
          "drain",
          "stop",
          "move",
          "export",
          "import",
          "switch",
          "verify",
        ]);
        expect(progress.filter(({ state }) => state === "done").map(({ step }) => step)).toEqual(
          report.steps.map(({ step }) => step),
        );
        expect(report).toMatchObject({ moved: { queued: 60, scheduled: 2, replies: 6, others: 10 }, deadLetters: 1 });
        expect(JSON.parse(readFileSync(join(directory(), "notes", "dead-letters.jsonl"), "utf8"))).toMatchObject({
          session: "memory:odd",
          cause: "permanent",
        });
        expect(statSync(join(directory(), "notes", "threads.jsonl")).mode & 0o77).toBe(0);
        const local = JSON.parse(readFileSync(join(directory(), "local.json"), "utf8")) as RuntimeConfig;
        expect(local).toEqual({
          bus: { backend: "local", leaseMs: 1_000 },
          locks: { backend: "local" },
          store: { backend: "sqlite", path: join(directory(), "threads.sqlite") },
          workers: 1,
        });

        const { runtime, channel } = await goLocal();
        await channel.received(total(expected));
        check(channel, expected);
        // What is for later keeps its time, to the millisecond or so of two clocks, and outlives a second start, which
        // has nothing else to do.
        const scheduled = async (bus: Bus) =>
          (await bus.scheduled()).messages.map(({ id, at }) => [id, Math.round((at - soon) / 60_000) + 0]);
        expect(await scheduled(runtime.bus)).toEqual([
          ["memory:s1", 0],
          ["memory:s2", 60],
        ]);
        await runtime.close();
        const again = await goLocal();
        expect(await scheduled(again.runtime.bus)).toEqual([
          ["memory:s1", 0],
          ["memory:s2", 60],
        ]);
        expect(again.channel.replies).toEqual([]);
      },
      TIME,
    );
  });
}
