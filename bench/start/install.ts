import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadEsbuild } from "../../scripts/lib/bundle-size.mjs";

interface Manifest {
  name: string;
  exports: Record<string, string | Record<string, string>>;
  dependencies?: Record<string, string>;
}

const packages = ["core", "lock", "bus", "reactor", "thread"];

/** Builds the packages behind `@hebra/thread` as they are published, and installs them in a directory. */
export async function install(root: string, directory: string): Promise<void> {
  const { build } = loadEsbuild(root);
  rmSync(directory, { recursive: true, force: true });
  for (const name of packages) {
    const from = join(root, "packages", name);
    const manifest = JSON.parse(readFileSync(join(from, "package.json"), "utf8")) as Manifest;
    const to = join(directory, "node_modules", manifest.name);
    const entryPoints: Record<string, string> = {};
    for (const target of Object.values(manifest.exports)) {
      if (typeof target === "string" || target["@hebra/source"] === undefined) continue;
      entryPoints[target["default"]!.replace(/^\.\/dist\//, "").replace(/\.js$/, "")] = join(
        from,
        target["@hebra/source"],
      );
    }
    await build({
      entryPoints,
      outdir: join(to, "dist"),
      bundle: true,
      splitting: true,
      packages: "external",
      platform: "node",
      format: "esm",
      target: "node20",
      logLevel: "error",
    });
    writeFileSync(join(to, "package.json"), JSON.stringify({ ...manifest, type: "module" }));
    for (const dependency of Object.keys(manifest.dependencies ?? {}).filter((it) => !it.startsWith("@hebra/"))) {
      const link = join(directory, "node_modules", dependency);
      if (existsSync(link)) continue;
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(realpathSync(join(from, "node_modules", dependency)), link);
    }
  }
  // The same in one file, zod included: what is left when no file has to be found.
  await build({
    entryPoints: { whole: join(root, "packages/thread/src/index.ts") },
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@hebra/source"],
    external: ["ai", "@opentelemetry/api"],
    logLevel: "error",
  });
}
