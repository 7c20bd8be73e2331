import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Options } from "tsup";
import { writeDeclarations } from "./scripts/lib/declarations.mjs";

type Manifest = {
  exports: Record<string, string | Record<string, string>>;
  bin?: Record<string, string>;
};

/**
 * The one build of every package: the entries are read from `package.json#exports`, so that what is promised and what
 * is built cannot drift apart. A later swap of the bundler touches this file alone.
 */
export function preset(directory: string): ReturnType<typeof defineConfig> {
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;
  const entry: Record<string, string> = {};
  const typed: Record<string, string> = {};
  for (const target of Object.values(manifest.exports)) {
    if (typeof target === "string" || target["@hebra/source"] === undefined) continue;
    const name = target["default"]!.replace(/^\.\/dist\//, "").replace(/\.js$/, "");
    entry[name] = typed[name] = target["@hebra/source"];
  }
  for (const target of Object.values(manifest.bin ?? {})) {
    const name = target.replace(/^\.\/dist\//, "").replace(/\.js$/, "");
    entry[name] = `./src/${name}.ts`;
  }
  const options: Options = {
    entry,
    format: "esm",
    target: "node20",
    platform: "node",
    splitting: true,
    treeshake: true,
    clean: true,
    outDir: "dist",
    onSuccess: () => writeDeclarations(directory, typed),
  };
  return defineConfig(options);
}
