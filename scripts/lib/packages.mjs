import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";

/**
 * @typedef {Record<string, string>} ExportTarget
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {boolean} [private]
 * @property {Record<string, string | ExportTarget>} exports
 * @property {Record<string, string>} [bin]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, { optional?: boolean }>} [peerDependenciesMeta]
 *
 * @typedef {{ directory: string, manifest: Manifest }} Package `directory` is absolute
 */

/**
 * The packages that are published, by directory name.
 *
 * @returns {Package[]}
 */
export function publishedPackages() {
  const parent = join(root, "packages");
  const found = [];
  for (const name of readdirSync(parent).sort()) {
    const directory = join(parent, name);
    /** @type {Manifest} */
    let manifest;
    try {
      manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
    } catch {
      continue;
    }
    if (manifest.private !== true) found.push({ directory, manifest });
  }
  return found;
}

/**
 * The module entries of a package: subpath and source file, relative to the package. Files such as package.json are
 * left out.
 *
 * @param {Manifest} manifest
 */
export function moduleEntries(manifest) {
  const entries = [];
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target === "string") continue;
    entries.push({
      subpath,
      specifier: subpath === "." ? manifest.name : `${manifest.name}${subpath.slice(1)}`,
      source: target["@hebra/source"],
      target,
    });
  }
  return entries;
}
