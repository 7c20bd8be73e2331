import assert from "node:assert/strict";
import { createManualClock, HebraError } from "@hebra/core";
import { test } from "vitest";
import { localLocks } from "./local.ts";
import { lockKey, type LockManager } from "./lock.ts";
import { withLock } from "./with-lock.ts";

test("the lock is given back when the work ends and when it throws", async () => {
  const locks = localLocks({ clock: createManualClock() });
  assert.equal(await withLock(locks, "k", () => 42), 42);
  await assert.rejects(
    withLock(locks, "k", () => Promise.reject(new Error("work"))),
    /work/,
  );
  await (await locks.acquire("k", { waitMs: 0 })).release();
});

test("a release that fails does not hide what the work gave or threw", async () => {
  const locks = localLocks({ clock: createManualClock() });
  const failing: LockManager = {
    ...locks,
    acquire: async (...args) => ({
      ...(await locks.acquire(...args)),
      release: () => Promise.reject(new HebraError("UNREACHABLE", "down")),
    }),
  };
  assert.equal(await withLock(failing, "a", () => 42), 42);
  await assert.rejects(
    withLock(failing, "b", () => Promise.reject(new Error("work"))),
    /work/,
  );
});

test("keys of different tenants and sessions differ, and plain ones stay readable", () => {
  assert.equal(lockKey("acme", "telegram:42"), "acme/telegram:42");
  const pairs: [string, string][] = [
    ["a", "b/c"],
    ["a/b", "c"],
    ["a", "b%2Fc"],
    ["a%2Fb", "c"],
    ["a%", "c"],
    ["a", "%c"],
  ];
  assert.equal(new Set(pairs.map(([tenant, session]) => lockKey(tenant, session))).size, pairs.length);
});
