import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { run } from "./run.mjs";

const stamp = join(root, "node_modules", ".hebra-install.json");

/**
 * The directories of the workspace's packages, as pnpm-workspace.yaml names them, relative to the root; the root itself
 * is the empty string.
 */
export function workspaceDirectories() {
  const [, list = ""] =
    /^packages:\n((?: +- .*\n)+)/.exec(readFileSync(join(root, "pnpm-workspace.yaml"), "utf8")) ?? [];
  const patterns = [...list.matchAll(/- (\S+)/g)].map(([, pattern = ""]) => pattern);
  const found = patterns.flatMap((pattern) => {
    if (!pattern.endsWith("/*")) return [pattern];
    const parent = pattern.slice(0, -2);
    return existsSync(join(root, parent))
      ? readdirSync(join(root, parent))
          .sort()
          .map((name) => `${parent}/${name}`)
      : [];
  });
  return ["", ...found].filter((directory) => existsSync(join(root, directory, "package.json")));
}

/** A digest of all that decides what an installation holds. */
function wanted() {
  const hash = createHash("sha256");
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc"]) hash.update(readFileSync(join(root, file)));
  for (const directory of workspaceDirectories()) hash.update(readFileSync(join(root, directory, "package.json")));
  return hash.update(process.versions.modules).digest("hex");
}

/**
 * Whether the installed dependencies are those of the lockfile.
 *
 * @param {readonly string[]} filter
 */
function isCurrent(filter) {
  try {
    const { digest, filter: installed } = JSON.parse(readFileSync(stamp, "utf8"));
    const enough = installed.length === 0 || JSON.stringify(installed) === JSON.stringify(filter);
    return enough && digest === wanted() && existsSync(join(root, "node_modules", ".modules.yaml"));
  } catch {
    return false;
  }
}

/**
 * Installs what the lockfile says, unless it is there already.
 *
 * @param {readonly string[]} filter pnpm's selectors; empty for everything
 * @returns {Promise<"current" | "installed">}
 */
export async function install(filter = []) {
  if (isCurrent(filter)) return "current";
  const selectors = filter.flatMap((selector) => ["--filter", selector]);
  const result = await run(
    "pnpm",
    ["install", "--frozen-lockfile", "--prefer-offline", "--reporter=append-only", ...selectors],
    { output: "quiet" },
  );
  if (!result.ok) throw new Error("The dependencies could not be installed; pnpm's own words are above.");
  writeFileSync(stamp, JSON.stringify({ digest: wanted(), filter }));
  return "installed";
}
