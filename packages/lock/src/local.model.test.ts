import assert from "node:assert/strict";
import { createManualClock, errorCode } from "@hebra/core";
import fc from "fast-check";
import { test } from "vitest";
import { localLocks } from "./local.ts";
import type { Lease } from "./lock.ts";
import { freezableClock } from "./testing/freezable-clock.fixture.ts";

const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("acquire" as const),
      key: fc.constantFrom("a", "b"),
      ttlMs: fc.constantFrom(300, 900, 6000),
      waitMs: fc.constantFrom(0, 500, 5000, Infinity),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("release" as const, "extend" as const, "abort" as const),
      pick: fc.nat(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.nat(2500) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stop" as const), ms: fc.nat(9000) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("seed" as const),
      key: fc.constantFrom("a", "b"),
      ahead: fc.nat(5_000_000),
    }),
  },
);

interface Request {
  key: string;
  leave: AbortController;
  state: "waiting" | "held" | "released" | "refused";
  lease?: Lease;
}

test("whatever is done in whatever order: one holder a key, first come first served, growing fences, nothing left behind", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
      const manual = createManualClock();
      const { clock, freeze, thaw } = freezableClock(manual);
      const locks = localLocks({ clock });
      const requests: Request[] = [];
      const lastFence = new Map<string, number>();

      function check(): void {
        for (const key of ["a", "b"]) {
          const valid = requests.filter((it) => it.key === key && it.state === "held" && !it.lease!.signal.aborted);
          assert.ok(valid.length <= 1, `${valid.length} hold ${key}`);
          const waiting = requests.some((it) => it.key === key && it.state === "waiting");
          assert.ok(valid.length === 1 || !waiting, `${key} is free while somebody waits`);
        }
      }

      function acquire(key: string, ttlMs: number, waitMs: number): void {
        const request: Request = { key, leave: new AbortController(), state: "waiting" };
        requests.push(request);
        locks
          .acquire(key, { ttlMs, waitMs, signal: request.leave.signal })
          .then(
            (lease) => {
              const earlier = requests
                .slice(0, requests.indexOf(request))
                .filter((it) => it.key === key && it.state === "waiting");
              assert.equal(earlier.length, 0, "overtook somebody");
              assert.ok(lease.fence > (lastFence.get(key) ?? 0), "the fence did not grow");
              lastFence.set(key, lease.fence);
              request.state = "held";
              request.lease = lease;
            },
            (error: unknown) => {
              assert.ok(["LOCK_TIMEOUT", "ABORTED"].includes(errorCode(error)!), String(error));
              request.state = "refused";
            },
          )
          .catch((error: unknown) => failures.push(error));
      }

      const failures: unknown[] = [];
      const nth = (state: Request["state"], pick: number) => {
        const candidates = requests.filter((it) => it.state === state);
        return candidates.length === 0 ? undefined : candidates[pick % candidates.length];
      };

      for (const it of operations) {
        if (it.do === "acquire") acquire(it.key, it.ttlMs, it.waitMs);
        else if (it.do === "advance") await manual.advance(it.ms);
        else if (it.do === "seed") {
          const seed = manual.now() * 1000 + it.ahead;
          await locks.seed(it.key, seed);
          lastFence.set(it.key, Math.max(seed, lastFence.get(it.key) ?? 0));
        } else if (it.do === "stop") {
          freeze();
          await manual.advance(it.ms);
          thaw();
        } else if (it.do === "abort") nth("waiting", it.pick)?.leave.abort();
        else {
          const request = nth("held", it.pick);
          const lost = request?.lease!.signal.aborted;
          if (it.do === "release" && request !== undefined) {
            request.state = "released";
            await request.lease!.release();
          } else if (request !== undefined) {
            const outcome = await request.lease!.extend().then(() => "held", errorCode);
            if (lost) assert.equal(outcome, "LOCK_LOST");
          }
        }
        await manual.advance(0);
        assert.deepEqual(failures, []);
        check();
      }

      for (let held = nth("held", 0); held !== undefined; held = nth("held", 0)) {
        held.state = "released";
        await held.lease!.release();
        await manual.advance(0);
        check();
      }
      assert.deepEqual(failures, []);
      assert.equal(nth("waiting", 0), undefined, "somebody was never served");
      for (const key of ["a", "b"]) await (await locks.acquire(key, { waitMs: 0 })).release();
      await locks.close();
      assert.equal(manual.pending(), 0);
    }),
    { numRuns: 300, seed: 20_261_121 },
  );
});
