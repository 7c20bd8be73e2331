import assert from "node:assert/strict";
import { test } from "vitest";
import { run } from "../lib/run.mjs";
import { findNode, judgeResumed, otherNodes, type Resumed } from "./other-node.ts";

test("on another platform, or without the package, it is said why there is no other Node.js", () => {
  assert.match(JSON.stringify(findNode(22, "darwin-arm64")), /linux-x64, and this machine is darwin-arm64/);
  assert.match(JSON.stringify(findNode(21, "linux-x64")), /node-21 is not installed/);
});

test("the Node.js that is found has the version that was asked for", async () => {
  for (const major of otherNodes) {
    const found = findNode(major);
    if ("absent" in found) continue;
    const { output } = await run(found.command, ["--version"], { output: "capture" });
    assert.match(output, new RegExp(`^v${major}\\.`));
  }
});

test("a resumed turn must be whole, ask the model once a step, and run on the Node.js in question", () => {
  const sound: Resumed = {
    node: "24.22.3",
    recovered: 1,
    status: "completed",
    text: "It has shipped.",
    seen: ["model 1", "look", "look", "model 2"],
  };
  assert.equal(judgeResumed(24, sound), undefined);
  assert.match(judgeResumed(22, sound)!, /ran on Node\.js 24/);
  assert.match(judgeResumed(24, { ...sound, status: "failed" })!, /"failed"/);
  assert.match(judgeResumed(24, { ...sound, seen: ["model 1", "look", "model 1", "look", "model 2"] })!, /model 1/);
});
