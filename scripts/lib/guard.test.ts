import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test, vi } from "vitest";

const guard = fileURLToPath(new URL("./guard.mjs", import.meta.url));
const runner = fileURLToPath(new URL("./run.mjs", import.meta.url));

const program = `
  import { temporaryDirectory } from ${JSON.stringify(guard)};
  import { run } from ${JSON.stringify(runner)};
  const directory = temporaryDirectory("guard-test");
  const code = "console.log(process.pid); setInterval(() => {}, 1000)";
  console.log(JSON.stringify({ directory }));
  await run(process.execPath, ["-e", code]);
`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a parent that is killed outright leaves neither its commands nor its directories behind", async () => {
  const parent = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  parent.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await vi.waitUntil(() => output.trim().split("\n").length === 2, 10_000);
  const [first = "", second = ""] = output.trim().split("\n");
  const { directory } = JSON.parse(first) as { directory: string };
  const child = Number(second);
  assert.ok(existsSync(directory) && isAlive(child));

  parent.kill("SIGKILL");
  await once(parent, "exit");
  await vi.waitUntil(() => !existsSync(directory) && !isAlive(child), 10_000);
});
