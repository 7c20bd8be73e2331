import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./paths.mjs";
import { run } from "./run.mjs";
import { which } from "./which.mjs";

/** The pnpm that package.json#packageManager pins. */
export function pinnedPnpm() {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return String(manifest.packageManager).replace(/^pnpm@/, "");
}

/**
 * Makes the pinned pnpm the first one in PATH, for this process and what it starts: the one that is there when its
 * version
 * is right, else one that npm fetches into its own cache. Nothing is installed globally.
 *
 * @returns {Promise<string>} the version
 */
export async function bringPnpm() {
  const version = pinnedPnpm();
  // Keeps a pnpm of another version from replacing itself by the pinned one, and npm and pnpm from asking questions.
  Object.assign(process.env, {
    npm_config_manage_package_manager_versions: "false",
    npm_config_yes: "true",
    CI: process.env["CI"] ?? "true",
  });
  if (which("pnpm") !== undefined) {
    const found = await run("pnpm", ["--version"], { output: "capture" });
    if (found.ok && found.output.trim() === version) return version;
  }
  const where = `process.stdout.write("\\nPATH=" + process.env.PATH + "\\n")`;
  const fetched = await run(
    "npm",
    ["exec", "--yes", `--package=pnpm@${version}`, "--", process.execPath, "-e", where],
    { output: "capture" },
  );
  const path = /^PATH=(.*)$/m.exec(fetched.output)?.[1];
  const directory = path
    ?.split(delimiter)
    .find((entry) => entry.includes("_npx") && which("pnpm", [], entry) !== undefined);
  if (!fetched.ok || directory === undefined) {
    throw new Error(
      `pnpm ${version} could not be fetched with npm. Check the network and npm's registry setting, or install it: npm install --global pnpm@${version}\n${fetched.output.trim()}`,
    );
  }
  process.env["PATH"] = `${directory}${delimiter}${process.env["PATH"] ?? ""}`;
  return version;
}
