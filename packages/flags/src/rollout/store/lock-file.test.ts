import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HebraError } from "@hebra/core";
import { verifyEvidence } from "../evidence.ts";
import { rolloutPlan } from "../plan.ts";
import { createRolloutService } from "../service.ts";
import { fileRolloutStore } from "./file.ts";
import { takeLockFile } from "./lock-file.ts";

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "lock-"))));
afterEach(() => rm(directory, { recursive: true }));

/** A lock whose process died with it. */
async function leftBehind(file: string): Promise<void> {
  await writeFile(file, "a process that is gone");
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(file, longAgo, longAgo);
}

describe("the lock file", () => {
  it("is taken over from a process that is gone, by one of many that see it", async () => {
    const file = join(directory, "lock");
    for (let round = 0; round < 20; round++) {
      await leftBehind(file);
      let [inside, most] = [0, 0];
      await Promise.all(
        Array.from({ length: 6 }, async () => {
          const lock = await takeLockFile(file);
          most = Math.max(most, ++inside);
          await new Promise((resolve) => setImmediate(resolve));
          await lock.assertHeld();
          inside--;
          await lock.release();
        }),
      );
      expect(most).toBe(1);
      expect(await readdir(directory)).toEqual([]);
    }
  });

  it("is not released by somebody who lost it, and says so before anything is written", async () => {
    const file = join(directory, "lock");
    const asleep = await takeLockFile(file);
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(file, longAgo, longAgo);
    const next = await takeLockFile(file);
    await expect(asleep.assertHeld()).rejects.toMatchObject({ code: "STORE_FAILED", retryable: true });
    await asleep.release();
    await next.assertHeld();
    await next.release();
  });

  it("keeps the evidence of many writers one chain", async () => {
    const plan = rolloutPlan({ owner: "t" });
    const services = Array.from({ length: 5 }, () => createRolloutService({ store: fileRolloutStore(directory) }));
    await services[0]!.act("f", { event: "start", by: "ana", reason: "go", plan });
    await leftBehind(join(directory, "f.lock"));
    let written = 0;
    await Promise.all(
      services.map(async (service, at) => {
        for (let mine = 0; mine < 5;) {
          try {
            await service.act("f", { event: "attest", by: `p${at}`, reason: "r", item: `${at}-${mine}` });
            mine++;
            written++;
          } catch (error) {
            if (!HebraError.isInstance(error) || error.code !== "ROLLOUT_CONFLICT") throw error;
          }
        }
      }),
    );
    const { store } = services[0]!;
    const evidence = await store.evidence("f");
    verifyEvidence(evidence, (await store.read("f"))!.head);
    expect([evidence.length, new Set(evidence.map(({ detail }) => detail?.["item"])).size]).toEqual([written + 1, 26]);
  });
});
