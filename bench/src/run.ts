/**
 * Runs one area: `pnpm bench AREA [--quick] [--json FILE]`. An area is what `bench/AREA/index.ts` exports as `area`.
 *
 * It is bundled from source first, and runs as published code does: a loader that transforms each file on the way names
 * every closure whenever one is made, and that costs more than some of what is measured.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What is used of esbuild, which tsx brings along. */
interface Esbuild {
  build(options: object): Promise<unknown>;
}

const directory = dirname(dirname(fileURLToPath(import.meta.url)));
const areas = readdirSync(directory)
  .filter((name) => existsSync(join(directory, name, "index.ts")))
  .sort();

/** The peers stay outside, as they are what is compared with; our own packages and what they depend on go in. */
async function bundle(area: string, outdir: string): Promise<void> {
  const tsx = createRequire(join(dirname(directory), "package.json")).resolve("tsx");
  const { build } = createRequire(tsx)("esbuild") as Esbuild;
  const { devDependencies } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  // What an area starts as a process of its own.
  const worker = join(directory, area, "worker.ts");
  await build({
    entryPoints: {
      measure: join(directory, "src", "measure.ts"),
      [area]: join(directory, area, "index.ts"),
      ...(existsSync(worker) && { [`${area}-worker`]: worker }),
    },
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@hebra/source"],
    external: Object.keys(devDependencies).filter((name) => !name.startsWith("@hebra/")),
    // Dependencies in CommonJS call `require` for what Node has built in.
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
    logLevel: "error",
  });
}

const [area, ...rest] = process.argv.slice(2).filter((argument) => argument !== "--");
if (area === undefined || !areas.includes(area)) {
  console.error(`usage: pnpm bench AREA [--quick] [--json FILE]\nareas: ${areas.join(", ") || "none yet"}`);
  process.exitCode = 2;
} else {
  const output = join(directory, "node_modules", ".cache", "bench");
  await bundle(area, output);
  const child = spawn(process.execPath, [join(output, "measure.mjs"), area, ...rest], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.exitCode = code ?? 1;
}
