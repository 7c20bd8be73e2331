import { createRequire } from "node:module";
import { join } from "node:path";

interface Esbuild {
  build(options: object): Promise<unknown>;
}

/** What esbuild calls while it reads: see its documentation of plugins. */
export interface BundlePlugin {
  readonly name: string;
  setup(build: never): void;
}

/** They stay imports: the tests that need one have it installed. */
const peers = [
  "@electric-sql/pglite",
  "@openfeature/*",
  "@opentelemetry/*",
  "ai",
  "better-sqlite3",
  "ioredis",
  "libsql",
  "pg",
];

/**
 * Makes plain JavaScript of programs that tests start as processes, so that one starts in a fraction of the time that
 * compiling at every start takes. Programs of one call share their modules.
 *
 * @param folder - where the files go; peers are looked up from here
 * @param entries - the names of the files, with no suffix, and their sources
 * @returns the files by name
 * @example
 * const { program } = await bundle(folder, { program: join(import.meta.dirname, "program.ts") });
 */
export async function bundle<const Name extends string>(
  folder: string,
  entries: Readonly<Record<Name, string>>,
  plugins: readonly BundlePlugin[] = [],
): Promise<Record<Name, string>> {
  const require = createRequire(import.meta.url);
  const { build } = createRequire(require.resolve("tsx"))("esbuild") as Esbuild;
  await build({
    entryPoints: entries,
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@hebra/source"],
    external: peers,
    plugins,
    logLevel: "error",
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
  });
  const files = Object.keys(entries).map((name) => [name, join(folder, `${name}.mjs`)]);
  return Object.fromEntries(files) as Record<Name, string>;
}
