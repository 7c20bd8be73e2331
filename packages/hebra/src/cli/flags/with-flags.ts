import { readFile } from "node:fs/promises";
import type { RuntimeConfig } from "@hebra/thread/runtime";

/**
 * A new configuration with the flags of the one before, as they were written: names of variables stay names.
 *
 * @param before - the file of the configuration before
 */
export async function withFlags(config: RuntimeConfig, before: string): Promise<RuntimeConfig & { flags?: object }> {
  const { flags } = JSON.parse(await readFile(before, "utf8")) as { flags?: object };
  return flags === undefined ? config : { ...config, flags };
}
