import { HebraError } from "@hebra/core";
import type { RedisCommands } from "./commands.ts";
import type { Runner } from "./run.ts";

/** What all processes of a namespace agree on. */
export interface SharedConfig {
  /** How many partitions there are; fixed by the first process. */
  readonly partitions: number;
  /** The envelope version that is written: the newest that every process reads. */
  readonly format: number;
  /** Whether the counts that scripts keep have been right from the beginning, or were corrected. */
  readonly counted: boolean;
  /** Whether this process has just written it. */
  readonly fresh: boolean;
}

/** Reads the agreement, or makes it. @throws HebraError `UPGRADE_REQUIRED`, `UNREACHABLE` */
export async function agree(
  commands: RedisCommands,
  run: Runner,
  namespace: string,
  mine: { partitions: () => Promise<number>; newest: number },
): Promise<SharedConfig> {
  const key = `${namespace}:cfg`;
  const read = async () => {
    const fields = ["partitions", "format", "counted"];
    const [partitions, format, counted] = (await run.bound(() => commands.call("HMGET", key, ...fields))) as (
      | string
      | null
    )[];
    return partitions == null || format == null
      ? undefined
      : { partitions: Number(partitions), format: Number(format), counted: counted === "1" };
  };
  let found = await read();
  const fresh = found === undefined;
  if (found === undefined) {
    const partitions = await mine.partitions();
    await run.bound(() => commands.call("HSETNX", key, "partitions", String(partitions)));
    await run.bound(() => commands.call("HSETNX", key, "format", String(mine.newest)));
    await run.bound(() => commands.call("HSETNX", key, "counted", "1"));
    found = (await read())!;
  }
  if (found.format > mine.newest) {
    throw new HebraError(
      "UPGRADE_REQUIRED",
      `The namespace ${namespace} is at format ${found.format}; this process reads up to ${mine.newest}. Upgrade it.`,
      {
        details: { format: found.format, newest: mine.newest },
      },
    );
  }
  return { ...found, fresh };
}
