import { consoleLogger, HebraError, type Logger } from "@hebra/core";
import type { FlagOverride, Kill } from "../evaluate/types.ts";
import type { FlagProvider, ProviderSnapshot } from "./provider.ts";

/** How to read the flags of the environment. */
export interface EnvProviderOptions {
  /** The variables. @defaultValue `process.env`, read at each `load` */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** Told of values that cannot be read; such a flag is held at legacy. @defaultValue `consoleLogger()` */
  readonly logger?: Pick<Logger, "warn">;
}

const PREFIX = "HEBRA_FLAG_";
const ALL = "HEBRA_FLAGS";

/** The process's own variables; the one place where this package reads them. */
function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/**
 * Flags from the environment: `HEBRA_FLAG_<KEY>=percent:10 | new | legacy | kill`, and `HEBRA_FLAGS=kill` for all
 * flags. The key is upper-cased and
 * everything but letters and digits becomes `_`. A kill wins over every other layer, also when they are down; `new` and
 * `percent` are
 * capped by `maxPercent`. A value that cannot be read holds the flag at legacy: a misspelt kill must not run on.
 *
 * @example
 * ```ts
 * import { createFlags, envProvider } from "@hebra/flags";
 *
 * const flags = createFlags({ provider: envProvider({ variables: { HEBRA_FLAG_ENGINE_V2: "percent:25" } }) });
 * console.log(flags.decide("engine-v2", { session: "s1" }).mode);
 * await flags.close();
 * ```
 */
export function envProvider(options: EnvProviderOptions = {}): FlagProvider {
  const { warn } = options.logger ?? consoleLogger();
  let closed = false;
  return {
    name: "env",
    load() {
      if (closed) throw new HebraError("CLOSED", "The environment's flag provider is closed.");
      return readOverrides(options.variables ?? readEnvironment(), warn);
    },
    close() {
      closed = true;
      return Promise.resolve();
    },
  };
}

function readOverrides(
  variables: Readonly<Record<string, string | undefined>>,
  warn: (message: string) => void,
): ProviderSnapshot {
  const overrides: Record<string, FlagOverride> = {};
  const rollouts: Record<string, { version: 0 }> = {};
  for (const [name, value] of Object.entries(variables)) {
    if (!name.startsWith(PREFIX) || name.length === PREFIX.length || value === undefined || value.trim() === "")
      continue;
    const flag = name.slice(PREFIX.length);
    overrides[flag] = parseValue(name, value, warn);
    // A flag that no document holds is the environment's own, under its plain key.
    rollouts[flag.toLowerCase().replaceAll("_", "-")] = { version: 0 };
  }
  const all = variables[ALL]?.trim().toLowerCase();
  if (all !== undefined && all !== "" && all !== "kill")
    warn(`${ALL}: the only value is "kill"; "${all}" is taken for it.`);
  return {
    document: { flags: {}, rollouts },
    environmentOverrides: overrides,
    ...(all === undefined || all === "" ? {} : { killAll: killBy(ALL) }),
  };
}

function parseValue(name: string, value: string, warn: (message: string) => void): FlagOverride {
  const text = value.trim().toLowerCase();
  if (text === "kill") return { kill: killBy(name) };
  if (text === "legacy") return { maxMode: "legacy" };
  if (text === "new") return { canaryPercent: 100 };
  const percent = /^percent:(\d+(?:\.\d{1,3})?)$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return { canaryPercent: Number(percent) };
  warn(`${name}: "${value}" is none of percent:0…100, new, legacy, kill; the flag is held at legacy.`);
  return { maxMode: "legacy" };
}

const killBy = (name: string): Kill => ({ at: new Date(0).toISOString(), by: "environment", reason: name });
