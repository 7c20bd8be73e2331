import { AsyncLocalStorage } from "node:async_hooks";
import { HebraError } from "@hebra/core";
import { processWide } from "./process-wide.ts";
import type { ThreadEnvironment } from "./types.ts";

const known = processWide("env", () => ({
  current: new AsyncLocalStorage<ThreadEnvironment>(),
  byRun: new Map<string, ThreadEnvironment>(),
  fallback: undefined as ThreadEnvironment | undefined,
}));

/** Runs something of a turn, so that `getThreadEnv` gives the turn's own environment in it. */
export function inEnv<T>(env: ThreadEnvironment, work: () => T): T {
  return known.current.run(env, work);
}

/**
 * Names the environment of turns that nobody in this process has called, such as those resumed after a crash; with a
 * run id,
 * only what `getThreadEnv(runId)` gives.
 *
 * @deprecated Give the definition `services`, which are made anew wherever a turn resumes.
 */
export function registerThreadEnv(env: ThreadEnvironment, runId?: string | null): void {
  if (typeof runId === "string" && runId !== "") known.byRun.set(runId, env);
  else known.fallback = env;
}

/**
 * The environment of the turn that this is called in, of the run, or the one that was registered.
 *
 * @deprecated Give the definition `services`.
 * @throws HebraError `INVALID_OPTIONS` when there is none.
 */
export async function getThreadEnv(runId?: string): Promise<ThreadEnvironment> {
  const env = (runId === undefined ? undefined : known.byRun.get(runId)) ?? known.current.getStore() ?? known.fallback;
  if (env === undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      "There is no environment here: call registerThreadEnv(env) when the process starts.",
    );
  return env;
}
