import { errorMessage, HebraError } from "@hebra/core";
import { readFileSync } from "node:fs";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Fills a configuration in from the environment: `"${NAME}"` as a whole value is the variable's, or the content of the
 * file that `NAME_FILE` names, as secrets are mounted into containers.
 *
 * @throws HebraError `INVALID_OPTIONS`
 */
export function expandEnvironment(value: unknown, environment: Environment): unknown {
  if (typeof value === "string") {
    const name = /^\$\{(\w+)\}$/.exec(value)?.[1];
    return name === undefined ? value : fromEnvironment(name, environment);
  }
  if (Array.isArray(value)) return value.map((item) => expandEnvironment(item, environment));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expandEnvironment(item, environment)]));
  return value;
}

function fromEnvironment(name: string, environment: Environment): string {
  const found = environment[name];
  if (found !== undefined) return found;
  const file = environment[`${name}_FILE`];
  if (file === undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      `The configuration names the environment variable ${name}, which is not set, nor is ${name}_FILE.`,
    );
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new HebraError("INVALID_OPTIONS", `${name}_FILE names a file that cannot be read: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
