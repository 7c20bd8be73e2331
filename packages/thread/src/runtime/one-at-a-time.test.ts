import assert from "node:assert/strict";
import { test } from "vitest";
import { createOneAtATime } from "./one-at-a-time.ts";

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

test("work of one key runs in order and alone, other keys do not wait, and nothing is kept [BU-7]", async () => {
  const line = createOneAtATime();
  const seen: string[] = [];
  let atOnce = 0;
  const work = (name: string) => async () => {
    assert.equal(++atOnce, 1);
    await tick();
    seen.push(name);
    atOnce--;
    if (name === "b") throw new Error("b failed");
  };
  const runs = ["a", "b", "c"].map((name) => line.run("chat", work(name)));
  assert.equal(line.size(), 1);
  assert.equal(await line.run("other", async () => seen.length), 0, "another key goes first");
  const outcomes = await Promise.allSettled(runs);
  assert.deepEqual(seen, ["a", "b", "c"]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  await tick();
  assert.equal(line.size(), 0);
});
