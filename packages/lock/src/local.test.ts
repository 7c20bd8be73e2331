import assert from "node:assert/strict";
import { createManualClock } from "@hebra/core";
import { describe, test } from "vitest";
import { localLocks } from "./local.ts";
import { lockContract, type LockContractHarness } from "./lock.contract.ts";
import { freezableClock } from "./testing/freezable-clock.fixture.ts";

function harness(): LockContractHarness {
  const manual = createManualClock();
  const { clock, freeze, thaw } = freezableClock(manual);
  const locks = localLocks({ clock });
  return { ttlMs: 3000, connect: async () => ({ locks, freeze, thaw }), elapse: (ms) => manual.advance(ms) };
}

describe("localLocks fulfils the contract", () => {
  for (const [title, clause] of Object.entries(lockContract)) test(title, () => clause(harness()));
});

test("nothing remains of locks that were given back: no timer after close", async () => {
  const clock = createManualClock();
  const locks = localLocks({ clock });
  const leases = await Promise.all(Array.from({ length: 100 }, (_, i) => locks.acquire(`key-${i}`)));
  await Promise.all(leases.map((lease) => lease.release()));
  await locks.acquire("held");
  await locks.close();
  assert.equal(clock.pending(), 0);
});

test("an unknown option is refused with a hint", () => {
  assert.throws(() => localLocks({ ttlms: 5 } as never), { code: "INVALID_OPTIONS", message: /did you mean `ttlMs`/ });
});
