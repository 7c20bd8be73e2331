import { createRequire } from "node:module";
import { join } from "node:path";

interface Esbuild {
  build(options: object): Promise<unknown>;
}

/**
 * Makes one file of the command line, so that a process of it starts in a fraction of the time that compiling at every
 * start takes. @returns the file
 */
export async function bundleMain(directory: string): Promise<string> {
  const require = createRequire(import.meta.url);
  const { build } = createRequire(require.resolve("tsx"))("esbuild") as Esbuild;
  const outfile = join(directory, "hebra-flags.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "main.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@hebra/source"],
    external: ["@openfeature/*", "@opentelemetry/*", "ioredis", "pg"],
    logLevel: "error",
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
  });
  return outfile;
}
