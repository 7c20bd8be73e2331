import type { RedisCommands } from "./commands.ts";
import { scripts } from "./scripts.generated.ts";

/** Runs the write script by its SHA-1; a server that does not know it gets the source. */
export async function runWrite(
  commands: RedisCommands,
  keys: readonly string[],
  args: readonly string[],
): Promise<string[]> {
  const { sha1, source } = scripts.write;
  try {
    return (await commands.call("EVALSHA", sha1, keys.length, ...keys, ...args)) as string[];
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
    return (await commands.call("EVAL", source, keys.length, ...keys, ...args)) as string[];
  }
}
