import { parseArgs } from "node:util";

/**
 * `parseArgs` for a program's first line: what it does not understand it says in one line, and ends with 2.
 *
 * @template {import("node:util").ParseArgsConfig} T
 * @param {T} config
 * @returns {ReturnType<typeof parseArgs<T>>}
 */
export function argumentsOf(config) {
  try {
    return parseArgs(config);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`${message.split(/\. To specify|\n/, 1)[0]?.replace(/\.$/, "")}. See --help.`);
    process.exit(2);
  }
}
