import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

interface Esbuild {
  build(options: object): Promise<unknown>;
}

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

/** A release of everything that a process runs. */
export interface Release {
  /** The command `hebra`. */
  readonly command: string;
  /** The app that it is given. */
  readonly app: string;
  /** What a gateway is made of, for this process to import. */
  readonly library: string;
}

const newest = "export const ENVELOPE_VERSION = 1;";

/** Makes of the sources the release that comes after this one: it writes and reads envelopes of one version more. */
const nextRelease = {
  name: "next-release",
  setup(build: { onLoad(filter: object, load: (args: { path: string }) => object): void }) {
    build.onLoad({ filter: /packages[\\/]bus[\\/]src[\\/]envelope\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      if (!source.includes(newest))
        throw new Error(`${path} does not say \`${newest}\`; the next release cannot be made of it.`);
      return { contents: source.replace(newest, "export const ENVELOPE_VERSION = 2;"), loader: "ts" };
    });
  },
};

/** Bundles releases, so that a process starts fast and has a version of its own. */
export function createBuilds() {
  // Under `node_modules`, so that the peers are found from there.
  const directory = join(dirname(here), "node_modules", ".cache", `chaos-${process.pid}`);
  const made = new Map<string, Promise<Release>>();

  async function build(version: "present" | "next"): Promise<Release> {
    const esbuild = createRequire(createRequire(join(root, "package.json")).resolve("tsx"))("esbuild") as Esbuild;
    await esbuild.build({
      entryPoints: {
        command: join(root, "packages", "hebra", "src", "cli", "main.ts"),
        app: join(here, "app.ts"),
        library: join(here, "library.ts"),
      },
      outdir: join(directory, version),
      outExtension: { ".js": ".mjs" },
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      target: "node20",
      conditions: ["@hebra/source"],
      external: ["libsql", "pg", "ioredis", "ai", "better-sqlite3", "@electric-sql/pglite", "@opentelemetry/api"],
      banner: {
        js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
      },
      logLevel: "error",
      plugins: version === "next" ? [nextRelease] : [],
    });
    const file = (name: string) => join(directory, version, `${name}.mjs`);
    return { command: file("command"), app: file("app"), library: file("library") };
  }

  return {
    /** Made once. */
    release(version: "present" | "next"): Promise<Release> {
      const found = made.get(version) ?? build(version);
      made.set(version, found);
      return found;
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export type Builds = ReturnType<typeof createBuilds>;
