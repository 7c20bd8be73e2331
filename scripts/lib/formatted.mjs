import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "oxfmt";
import { root } from "./paths.mjs";

const { $schema: _, ignorePatterns: __, ...options } = JSON.parse(readFileSync(join(root, ".oxfmtrc.json"), "utf8"));

/**
 * A text as `pnpm format` leaves it, so that a generated page and the formatter agree.
 *
 * @param {string} path decides the language
 * @param {string} text
 * @returns {Promise<string>}
 */
export async function formatted(path, text) {
  const { code, errors } = await format(path, text, options);
  if (errors.length > 0)
    throw new Error(`${path} cannot be formatted: ${errors.map(({ message }) => message).join("; ")}`);
  return code;
}
