import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * Finds a program in PATH, and then in further directories.
 *
 * @param {string} name
 * @param {readonly string[]} [further]
 * @param {string} [path]
 * @returns {string | undefined}
 */
export function which(name, further = [], path = process.env["PATH"] ?? "") {
  for (const directory of [...path.split(delimiter), ...further]) {
    if (directory === "") continue;
    const file = join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // Not here.
    }
  }
  return undefined;
}
