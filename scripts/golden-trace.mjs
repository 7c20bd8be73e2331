// Writes anew what the engine does by default: pnpm golden:update. A deliberate act: the difference is to be read in
// review.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./lib/paths.mjs";

const test = "packages/thread/src/golden/golden.test.ts";
const { status } = spawnSync(process.execPath, [join(root, "node_modules", "vitest", "vitest.mjs"), "run", test], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, HEBRA_UPDATE_GOLDEN: "1" },
});
process.exitCode = status ?? 1;
