import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { createRedisCalls } from "./redis-calls.ts";

const reply = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });
const readOnly = () => reply("READONLY You can't write against a read only replica.");

describe("createRedisCalls", () => {
  test("drops the connections once a call has had no answer for the given time, and again after as long [BU-2]", async () => {
    const drops: number[] = [];
    const startedAt = performance.now();
    let answer: (value: string) => void = () => {};
    const calls = createRedisCalls({
      silenceMs: 60,
      reconnect() {
        drops.push(performance.now() - startedAt);
        if (drops.length === 2) answer("late");
      },
    });
    // The watchdog keeps no process alive.
    const alive = setTimeout(() => {}, 5_000);
    const pending = Array.from({ length: 20 }, () => calls.run(() => new Promise<string>(() => {})));
    void pending;
    assert.equal(await calls.run(() => new Promise<string>((resolve) => (answer = resolve))), "late");
    clearTimeout(alive);
    assert.equal(drops.length, 2, "many calls in wait drop it once each time");
    assert.ok(drops[0]! >= 55 && drops[1]! - drops[0]! >= 50, String(drops));
  });

  test("drops nothing while other calls are answered, with an error too [BU-2]", async () => {
    let drops = 0;
    const calls = createRedisCalls({ silenceMs: 30, reconnect: () => drops++ });
    let over = false;
    const slow = calls.run(() => new Promise((resolve) => setTimeout(resolve, 150, "slow")));
    void slow.then(() => (over = true));
    while (!over) await calls.run(() => Promise.reject(reply("WRONGTYPE"))).catch(() => new Promise(setImmediate));
    assert.equal(drops, 0);
  });

  test("repeats what a demoted server refused, and passes other errors on at once [BU-3]", async () => {
    let [drops, tries] = [0, 0];
    const calls = createRedisCalls({ reconnect: () => drops++ });
    assert.equal(await calls.run(async () => (++tries < 3 ? Promise.reject(readOnly()) : "written")), "written");
    assert.deepEqual([tries, drops >= 1], [3, true]);
    await assert.rejects(
      calls.run(() => Promise.reject(reply("WRONGTYPE no"))),
      /WRONGTYPE/,
    );
  });

  test("gives up on a server that stays read-only after 2 s [BU-3]", async () => {
    const calls = createRedisCalls({ reconnect: () => {} });
    const startedAt = performance.now();
    await assert.rejects(
      calls.run(() => Promise.reject(readOnly())),
      /READONLY/,
    );
    assert.ok(performance.now() - startedAt < 2_500);
  });

  test("leaves a master that became a replica, but no replica that was meant [BU-3]", async () => {
    let drops = 0;
    const roles = ["slave", "master", "slave"];
    const calls = createRedisCalls({ reconnect: () => drops++, role: async () => [roles.shift()] });
    await calls.checkRole();
    assert.equal(drops, 0);
    await calls.checkRole();
    await calls.checkRole();
    assert.equal(drops, 1);
  });

  test("asks for the role no more where the user has no right to [BU-3]", async () => {
    let asked = 0;
    const role = async () => {
      asked++;
      throw reply("NOPERM this user has no permissions to run the 'role' command");
    };
    const calls = createRedisCalls({ reconnect: () => {}, role });
    await calls.checkRole();
    await calls.checkRole();
    assert.equal(asked, 1);
  });
});
