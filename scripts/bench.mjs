// Runs one area's benches from source: what bench/AREA/index.ts exports as `area`, through bench/src/run.ts.
//   pnpm bench AREA [--quick] [--json FILE]
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { sourceCommand } from "./lib/example.mjs";
import { root } from "./lib/paths.mjs";
import { run } from "./lib/run.mjs";

const directory = join(root, "bench");
const areas = readdirSync(directory).filter((name) => existsSync(join(directory, name, "index.ts"))).sort();
const [area, ...rest] = process.argv.slice(2).filter((argument, index) => !(index === 0 && argument === "--"));
if (area === undefined || !areas.includes(area)) {
  console.error(`usage: pnpm bench AREA [--quick] [--json FILE]\nareas: ${areas.join(", ") || "none yet"}`);
  process.exitCode = 2;
} else {
  const file = join(directory, "src", "run.ts");
  const { command, args } = sourceCommand(file, join(root, "package.json"));
  process.exitCode = (await run(command, [...args, area, ...rest], { cwd: process.cwd() })).code;
}
