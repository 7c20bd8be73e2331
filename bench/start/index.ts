import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { smallestApplication } from "../../scripts/lib/bundle-size.mjs";
import type { Area } from "../src/area.ts";
import { install } from "./install.ts";

/** The repository's root, from wherever the bundle of this area lies. */
function repository(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "pnpm-workspace.yaml"))) directory = dirname(directory);
  return directory;
}

interface Cost {
  wall: number;
  cpu: number;
}

/** Milliseconds of one import in a fresh process. */
function importCost(specifier: string, cwd: string): Cost {
  const program = `
    const cpu = process.cpuUsage();
    const start = performance.now();
    await import(${JSON.stringify(specifier)});
    const wall = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    console.log(JSON.stringify({ wall, cpu: (user + system) / 1000 }));`;
  return JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "-e", program], { cwd, encoding: "utf8" }),
  ) as Cost;
}

export const area: Area = {
  packages: ["zod"],
  async run(context) {
    const root = repository();
    const directory = join(root, "bench", "node_modules", ".cache", "start");
    await install(root, directory);

    const specifiers = {
      "@hebra/thread": "@hebra/thread",
      "zod alone": "zod",
      "@hebra/thread and zod in one file": "./whole.mjs",
    };
    const measure = (kind: keyof Cost) =>
      Object.fromEntries(
        Object.entries(specifiers).map(([name, it]) => [name, async () => importCost(it, directory)[kind]]),
      );
    const wall = await context.compare("import in a fresh process", "ms", 15, measure("wall"));
    await context.compare("CPU of an import", "ms", 15, measure("cpu"));
    context.bar("import @hebra/thread", wall["@hebra/thread"]!.value, "<=", 60, "ms");

    const [whole, own] = [await smallestApplication(root), await smallestApplication(root, { zod: false })];
    context.record("createEngine, defineThread and a store, gzipped", "kB", {
      "with zod": [whole.gzip / 1000],
      "without zod": [own.gzip / 1000],
    });
    context.record("createEngine, defineThread and a store, minified", "kB", {
      "with zod": [whole.minified / 1000],
      "without zod": [own.minified / 1000],
    });
    context.bar("createEngine, defineThread and a store, gzipped", whole.gzip / 1000, "<=", 76.5, "kB");
    context.note("Node loads all of zod, its locales included, whoever imports it; a bundler leaves the locales out.");
  },
};
