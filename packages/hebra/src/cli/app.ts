import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { expandEnvironment } from "@hebra/cli-kit";
import { errorMessage, HebraError } from "@hebra/core";
import type { AnyThreadDefinition } from "@hebra/thread";
import {
  parseRuntimeConfig,
  type Channel,
  type HttpChannelOptions,
  type Job,
  type LegacyEngine,
  type RuntimeConfig,
  type RuntimeParts,
} from "@hebra/thread/runtime";

/** What an app's module exports. */
export interface App extends Pick<
  RuntimeParts,
  "route" | "reply" | "failureText" | "busyText" | "readFile" | "flagContext"
> {
  threads: readonly AnyThreadDefinition[];
  /** Made once, in the gateway. */
  channels?: readonly Channel[] | (() => readonly Channel[] | Promise<readonly Channel[]>);
  jobs?: readonly Job[];
  /** The engine that a rollout replaces; it answers while the flag of the configuration says so. */
  legacy?: LegacyEngine | (() => LegacyEngine | Promise<LegacyEngine>);
  /** Who may post to the gateway's `--port`, as for `httpChannel`. */
  authorize?: HttpChannelOptions["authorize"];
}

/** @throws HebraError `INVALID_OPTIONS` */
export async function loadApp(path: string | undefined): Promise<App> {
  if (path === undefined) throw new HebraError("INVALID_OPTIONS", "Pass --app: a module that exports `threads`.");
  let module: Partial<App>;
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as Partial<App>;
  } catch (error) {
    throw new HebraError("INVALID_OPTIONS", `The app ${path} cannot be loaded: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  if (!Array.isArray(module.threads))
    throw new HebraError("INVALID_OPTIONS", `The app ${path} must export \`threads\`, a list of definitions.`);
  return module as App;
}

/** What an app says about its runtime. */
export function partsOf({ threads, route, reply, failureText, busyText, readFile }: App): RuntimeParts {
  return {
    threads,
    ...(route === undefined ? {} : { route }),
    ...(reply === undefined ? {} : { reply }),
    ...(failureText === undefined ? {} : { failureText }),
    ...(busyText === undefined ? {} : { busyText }),
    ...(readFile === undefined ? {} : { readFile }),
  };
}

/** @throws HebraError `INVALID_OPTIONS` */
export async function loadConfig(path: string | undefined): Promise<RuntimeConfig> {
  return (await loadConfigFile(path)).runtime;
}

/**
 * A configuration file: the runtime, and the flags between it and an older engine.
 *
 * @throws HebraError `INVALID_OPTIONS`
 */
export async function loadConfigFile(
  path: string | undefined,
): Promise<{ runtime: RuntimeConfig; flags: object | undefined }> {
  if (path === undefined) return { runtime: {}, flags: undefined };
  let file: RuntimeConfig & { flags?: object };
  try {
    file = JSON.parse(await readFile(path, "utf8")) as RuntimeConfig;
  } catch (error) {
    throw new HebraError("INVALID_OPTIONS", `The configuration ${path} cannot be read: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  const { flags, ...runtime } = expandEnvironment(file, process.env) as typeof file;
  parseRuntimeConfig(runtime);
  return { runtime, flags };
}
