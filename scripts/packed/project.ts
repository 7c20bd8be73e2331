import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { publishedPackages } from "../lib/packages.mjs";
import { run } from "../lib/run.mjs";
import type { Tarball } from "../ship/tarball.ts";

/** The version of a peer that this repository develops with, if it does. */
function peerVersion(packageName: string, peer: string): string | undefined {
  const directory = publishedPackages().find(({ manifest }) => manifest.name === packageName)?.directory ?? "";
  const manifest = join(directory, "node_modules", peer, "package.json");
  return existsSync(manifest) ? (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version : undefined;
}

/**
 * The peers to install: all that are declared, or only those that are not optional. An optional one that this
 * repository does
 * not develop with stays out: which version its range would give depends on the day.
 */
export function peersOf(tarballs: readonly Tarball[], options: { optional: boolean }): Record<string, string> {
  const peers: Record<string, string> = {};
  for (const { manifest } of tarballs) {
    for (const [peer, range] of Object.entries(manifest.peerDependencies ?? {})) {
      const isOptional = manifest.peerDependenciesMeta?.[peer]?.optional === true;
      const version = peerVersion(manifest.name, peer) ?? (isOptional ? undefined : range);
      if (version !== undefined && (options.optional || !isOptional)) peers[peer] = version;
    }
  }
  return peers;
}

/**
 * An empty project with the packed packages and these peers, installed as a stranger would. Nothing is hoisted, so that
 * a
 * package sees only what it declares.
 */
export async function createProject(
  directory: string,
  tarballs: readonly Tarball[],
  peers: Record<string, string>,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const packed = Object.fromEntries(tarballs.map(({ manifest, path }) => [manifest.name, `file:${path}`]));
  const manifest = {
    name: "stranger",
    private: true,
    type: "module",
    dependencies: { ...packed, ...peers },
    pnpm: { overrides: packed },
  };
  writeFileSync(join(directory, "package.json"), JSON.stringify(manifest, null, 2));
  writeFileSync(join(directory, ".npmrc"), "hoist=false\nauto-install-peers=false\n");
  const installed = await run(
    "pnpm",
    [
      "install",
      "--ignore-workspace",
      "--no-frozen-lockfile",
      "--config.engine-strict=false",
      "--prefer-offline",
      "--reporter=append-only",
    ],
    { cwd: directory, output: "quiet" },
  );
  if (!installed.ok) throw new Error("The packed packages could not be installed in an empty project.");
}
