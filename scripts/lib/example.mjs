import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./paths.mjs";

/** The names of the examples that have a main. */
export function exampleNames() {
  const directory = join(root, "examples");
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => existsSync(join(directory, name, "src", "main.ts")))
    .sort();
}

/**
 * The command that runs a TypeScript file from source, with no build.
 *
 * @param {string} file
 * @param {string} from a file of the package whose tsx is taken
 */
export function sourceCommand(file, from) {
  const tsx = pathToFileURL(createRequire(from).resolve("tsx")).href;
  return { command: process.execPath, args: ["--conditions=@hebra/source", "--import", tsx, file] };
}

/** @param {string} name */
export function exampleCommand(name) {
  const file = join(root, "examples", name, "src", "main.ts");
  if (!existsSync(file))
    throw new Error(`There is no example "${name}" yet; there is: ${exampleNames().join(", ") || "none"}.`);
  return sourceCommand(file, file);
}
