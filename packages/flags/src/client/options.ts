import { consoleLogger, parseOptions, systemClock, type Clock, type Logger } from "@hebra/core";
import * as z from "zod";
import type { FlagProvider } from "../provider/provider.ts";

/** Where warnings go; any {@link Logger} fits. */
export type FlagsLogger = Pick<Logger, "warn">;

/** Options of `createFlags`. */
export interface FlagsOptions {
  /** The only source of flags. Give this or `providers`. */
  readonly provider?: FlagProvider;
  /** The layers, the strongest first: environment, controller state, source. A kill counts from any of them. */
  readonly providers?: readonly FlagProvider[];
  /**
   * The environment this process runs in, such as `production`. A flag with an `environments` map is legacy when it is
   * not listed there.
   */
  readonly environment?: string;
  /**
   * After this many milliseconds without its source, a flag is legacy. @defaultValue never: the last known good stays
   * in force
   */
  readonly maxStaleMs?: number;
  readonly clock?: Clock;
  /** @defaultValue `consoleLogger()`: a document that is refused must not go unseen */
  readonly logger?: FlagsLogger;
}

const isProvider = (value: unknown) =>
  typeof (value as FlagProvider | null)?.load === "function" && typeof (value as FlagProvider).close === "function";
const provider = z.custom<FlagProvider>(isProvider, { message: "not a flag provider" });
const schema = z
  .strictObject({
    provider: provider.optional(),
    providers: z.array(provider).min(1).optional(),
    environment: z.string().min(1).optional(),
    maxStaleMs: z.number().positive().optional(),
    clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function").optional(),
    logger: z.custom<FlagsLogger>((value) => typeof (value as FlagsLogger | null)?.warn === "function").optional(),
  })
  .refine((options) => (options.provider === undefined) !== (options.providers === undefined), {
    message: "give either `provider` or `providers`",
  });

/** Options with every default filled in. */
export interface ParsedFlagsOptions {
  readonly providers: readonly FlagProvider[];
  readonly environment: string | undefined;
  readonly maxStaleMs: number | undefined;
  readonly clock: Clock;
  readonly logger: FlagsLogger;
}

/** @throws HebraError `INVALID_OPTIONS` */
export function parseFlagsOptions(input: FlagsOptions): ParsedFlagsOptions {
  const options = parseOptions("createFlags", schema, input);
  return {
    providers: options.providers ?? [options.provider!],
    environment: options.environment,
    maxStaleMs: options.maxStaleMs,
    clock: options.clock ?? systemClock,
    logger: options.logger ?? consoleLogger(),
  };
}
