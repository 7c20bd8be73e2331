import { HebraError, type Logger } from "@hebra/core";
import type { RuntimeParts } from "@hebra/thread/runtime";
import type { App } from "../app.ts";

/** What puts a flag between two engines. */
export interface BetweenEngines {
  readonly parts: Pick<RuntimeParts, "router" | "flag" | "legacy" | "flagContext">;
  close(): Promise<void>;
}

/**
 * The configuration's flags and the app's old engine, where there are both.
 *
 * @param flags - the configuration's `flags`, as they were read
 * @param shared - whether several processes serve one session
 * @throws HebraError `INVALID_OPTIONS` when there is only one of both, and as `parseFlagsConfig`
 */
export async function betweenEngines(
  { legacy, flagContext }: Pick<App, "legacy" | "flagContext">,
  flags: object | undefined,
  shared: boolean,
  logger: Logger,
): Promise<BetweenEngines | undefined> {
  if (flags === undefined && legacy === undefined) return undefined;
  if (flags === undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      "The app exports `legacy`, and the configuration has no `flags` that choose between it and the threads. Add `flags` to --config, or leave `legacy` out.",
    );
  if (legacy === undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      "The configuration has `flags`, and the app has no old engine that they could choose. Export `legacy` from --app, or leave `flags` out.",
    );
  const { parseFlagsConfig } = await import("./flags-config.ts");
  const config = parseFlagsConfig(flags, shared);
  const engine = typeof legacy === "function" ? await legacy() : legacy;
  const { router, close } = await (await import("./open-router.ts")).openRouter(config, logger);
  const context = flagContext === undefined ? {} : { flagContext };
  return { parts: { router, flag: config.key, legacy: engine, ...context }, close };
}
