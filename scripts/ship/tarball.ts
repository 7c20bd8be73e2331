import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";

/** What a package's `package.json` says, as far as shipping reads it. */
export interface PackedManifest {
  name: string;
  version: string;
  license?: string;
  exports?: Record<string, string | Record<string, string>>;
  bin?: string | Record<string, string>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  optionalDependencies?: Record<string, string>;
}

/** A packed package: its manifest as it was rewritten for publishing, and its files by path. */
export interface Tarball {
  /** The file's own name. */
  file: string;
  /** Where it lies. */
  path: string;
  manifest: PackedManifest;
  /** By path inside the package, without the leading `package/`. */
  files: ReadonlyMap<string, Buffer>;
}

const BLOCK = 512;

const text = (block: Buffer, start: number, length: number): string => {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? length : end).toString("utf8");
};

/** The `path` record of an extended header, whose lines are `<length> <key>=<value>`. */
function extendedPath(data: Buffer): string | undefined {
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(0x20, at);
    const length = Number(data.subarray(at, space).toString());
    const record = data.subarray(space + 1, at + length - 1).toString("utf8");
    if (record.startsWith("path=")) return record.slice("path=".length);
    at += length;
  }
  return undefined;
}

/** Reads a gzipped tar archive (POSIX ustar with pax headers, which is what npm and pnpm write). */
export function readArchive(archive: Buffer): Map<string, Buffer> {
  const tar = gunzipSync(archive);
  const files = new Map<string, Buffer>();
  let longPath: string | undefined;
  for (let at = 0; at + BLOCK <= tar.length;) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const size = Number.parseInt(text(header, 124, 12).trim() || "0", 8);
    const data = tar.subarray(at + BLOCK, at + BLOCK + size);
    const kind = text(header, 156, 1);
    const prefix = text(header, 345, 155);
    if (kind === "x") longPath = extendedPath(data);
    else if (kind !== "g") {
      const path = longPath ?? (prefix === "" ? text(header, 0, 100) : `${prefix}/${text(header, 0, 100)}`);
      longPath = undefined;
      if (kind === "0" || kind === "") files.set(path, data);
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

/** Reads one packed package. */
export function readTarball(path: string): Tarball {
  const files = new Map<string, Buffer>();
  for (const [name, data] of readArchive(readFileSync(path))) files.set(name.replace(/^[^/]+\//, ""), data);
  const manifest = files.get("package.json");
  if (manifest === undefined) throw new Error(`${basename(path)} holds no package.json`);
  return { file: basename(path), path, manifest: JSON.parse(manifest.toString("utf8")) as PackedManifest, files };
}

/** Reads every packed package of a directory, by file name. */
export function readTarballs(directory: string): Tarball[] {
  const names = readdirSync(directory)
    .filter((name) => name.endsWith(".tgz"))
    .sort();
  return names.map((name) => readTarball(join(directory, name)));
}

/** The module entries that a packed package promises: subpath and what a consumer writes. */
export function packedEntries(manifest: PackedManifest): { subpath: string; specifier: string }[] {
  return Object.entries(manifest.exports ?? {})
    .filter(([, target]) => typeof target !== "string")
    .map(([subpath]) => ({ subpath, specifier: manifest.name + subpath.slice(1) }));
}
