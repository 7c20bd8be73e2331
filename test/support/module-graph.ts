import { dirname, join, relative } from "node:path";
import { moduleEntries, publishedPackages } from "../../scripts/lib/packages.mjs";
import { root } from "../../scripts/lib/paths.mjs";
import { moduleImports } from "./module-imports.ts";

/** An entry of a published package, and where its source is. */
export interface Entry {
  package: string;
  subpath: string;
  /** What a consumer writes. */
  specifier: string;
  /** The source file, absolute. */
  file: string;
  /** The package's directory, absolute. */
  directory: string;
}

/** Every module entry of every published package. */
export const entries: readonly Entry[] = publishedPackages().flatMap(({ directory, manifest }) =>
  moduleEntries(manifest).map(({ subpath, specifier, source }) => ({
    package: manifest.name,
    subpath,
    specifier,
    file: join(directory, source ?? ""),
    directory,
  })),
);

/** What is reached from an entry by static imports. */
export interface ModuleGraph {
  /** The source files, absolute. */
  files: string[];
  /** The packages and `node:` modules outside this repository, each with the chain of files that leads there. */
  externals: Map<string, string[]>;
}

/** `@scope/name/sub` and `name/sub` without the `/sub`; `node:fs/promises` stays whole. */
export function packageName(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Follows static imports from a source file, also into other packages of this repository. */
export function staticGraph(file: string): ModuleGraph {
  const chains = new Map<string, string[]>([[file, [relative(root, file)]]]);
  const externals = new Map<string, string[]>();
  for (const [current, chain] of chains) {
    for (const specifier of moduleImports(current).static) {
      const target = specifier.startsWith(".")
        ? join(dirname(current), specifier)
        : entries.find((entry) => entry.specifier === specifier)?.file;
      if (target === undefined) {
        if (!externals.has(packageName(specifier))) externals.set(packageName(specifier), [...chain, specifier]);
      } else if (!chains.has(target)) chains.set(target, [...chain, relative(root, target)]);
    }
  }
  return { files: [...chains.keys()].filter((path) => !path.endsWith(".json")), externals };
}
