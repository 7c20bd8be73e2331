import { errorMessage, type Logger } from "@hebra/core";
import {
  createFlags,
  createRouter,
  envProvider,
  fileProvider,
  type AssignmentStore,
  type FlagProvider,
  type RouteObserver,
  type Router,
} from "@hebra/flags";
import { combineObservers, createCollector, createFlagMetrics, type RolloutStore } from "@hebra/flags/rollout";
import type { FlagsConfig } from "./flags-config.ts";

/** A router as a configuration describes it. */
export interface OpenRouter {
  readonly router: Router;
  /** Reports what is counted, and closes everything that was opened. */
  close(): Promise<void>;
}

/** Flags that do not load in this time are legacy until they do, in milliseconds. */
const READY_MS = 5_000;

/** @throws HebraError `PEER_MISSING`, `INVALID_OPTIONS` */
export async function openRouter(config: FlagsConfig, logger: Logger): Promise<OpenRouter> {
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const rollouts = config.rollouts === undefined ? undefined : await rolloutStore(config.rollouts);
    if (rollouts !== undefined) closers.push(() => rollouts.close());
    const { environment, idleMs, onKill } = config;
    const providers: FlagProvider[] = [];
    for (const one of config.providers) providers.push(await providerOf(one, rollouts, logger));
    const flags = createFlags({ providers, logger, ...(environment === undefined ? {} : { environment }) });
    closers.push(() => flags.close());
    // Without a subscriber providers are not watched.
    closers.push(flags.subscribe(({ type }) => logger.debug("The flags moved.", { event: type })));
    await readyOrLegacy(flags.ready(), logger);
    const { observer, close } = await observers(config, rollouts, logger);
    closers.push(close);
    const assignments = await assignmentStore(config.assignments);
    if (assignments?.close !== undefined) closers.push(() => assignments.close!());
    const router = createRouter({
      flags,
      logger,
      observer,
      ...(assignments === undefined ? {} : { assignments }),
      ...(idleMs === undefined ? {} : { idleMs }),
      ...(onKill === undefined ? {} : { onKill }),
    });
    closers.push(() => router.close());
    return { router, close: closeAll };
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
}

/** Flags that are away make everything legacy: the processes serve, and follow the flags once they are back. */
async function readyOrLegacy(ready: Promise<void>, logger: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${READY_MS} ms`)), READY_MS);
  });
  await Promise.race([ready, late])
    .catch((error: unknown) =>
      logger.warn("The flags could not be loaded; the old engine serves until they are.", {
        error: errorMessage(error),
      }),
    )
    .finally(() => clearTimeout(timer));
}

async function observers(
  config: FlagsConfig,
  store: RolloutStore | undefined,
  logger: Logger,
): Promise<{ observer: RouteObserver; close(): Promise<void> }> {
  const parts: RouteObserver[] = [createFlagMetrics().observer];
  const closers: (() => Promise<void>)[] = [];
  if (store !== undefined) {
    const onError = (error: unknown) =>
      logger.warn("Counters of a rollout could not be reported; they go with the next report.", {
        error: errorMessage(error),
      });
    const { flushMs } = config;
    const collector = createCollector({ store, onError, ...(flushMs === undefined ? {} : { flushMs }) });
    parts.push(collector.observer);
    closers.push(() => collector.close());
  }
  if (config.incidents !== undefined) {
    const { createIncidentWatch } = await import("@hebra/flags/incident");
    const sink = await incidentSink(config.incidents);
    const watch = createIncidentWatch({ sink });
    parts.push(watch.observer);
    closers.push(() => watch.close());
  }
  return {
    observer: combineObservers(...parts),
    close: async () => void (await Promise.all(closers.map((close) => close()))),
  };
}

async function incidentSink(config: NonNullable<FlagsConfig["incidents"]>) {
  if (config.backend === "file") return (await import("@hebra/flags/incident")).fileIncidents(config.path);
  const { url: connectionString, schema } = config;
  const { postgresIncidents } = await import("@hebra/flags/postgres");
  return postgresIncidents({ connectionString, ...(schema === undefined ? {} : { schema }) });
}

async function providerOf(
  config: FlagsConfig["providers"][number],
  store: RolloutStore | undefined,
  logger: Logger,
): Promise<FlagProvider> {
  switch (config.backend) {
    case "environment":
      return envProvider({ logger });
    case "file": {
      const { backend: _backend, ...options } = config;
      return fileProvider(given(options));
    }
    case "redis": {
      const { backend: _backend, ...options } = config;
      return (await import("@hebra/flags/redis")).redisProvider(given(options));
    }
    case "postgres": {
      const { backend: _backend, url: connectionString, ...options } = config;
      return (await import("@hebra/flags/postgres")).postgresProvider(given({ connectionString, ...options }));
    }
    case "http": {
      const { backend: _backend, ...options } = config;
      return (await import("@hebra/flags/http")).httpProvider(given(options));
    }
    case "rollouts": {
      const { rolloutProvider } = await import("@hebra/flags/rollout");
      return rolloutProvider({ store: store!, ...(config.pollMs === undefined ? {} : { pollMs: config.pollMs }) });
    }
  }
}

async function rolloutStore(config: NonNullable<FlagsConfig["rollouts"]>): Promise<RolloutStore> {
  switch (config.backend) {
    case "file":
      return (await import("@hebra/flags/rollout")).fileRolloutStore(config.path);
    case "redis": {
      const { url, namespace } = config;
      return (await import("@hebra/flags/redis")).redisRolloutStore(given({ url, namespace }));
    }
    case "postgres": {
      const { url: connectionString, schema } = config;
      return (await import("@hebra/flags/postgres")).postgresRolloutStore(given({ connectionString, schema }));
    }
  }
}

async function assignmentStore(
  config: FlagsConfig["assignments"],
): Promise<(AssignmentStore & { close?(): Promise<void> }) | undefined> {
  switch (config.backend) {
    case "memory":
      return undefined;
    case "redis": {
      const { url, namespace } = config;
      return (await import("@hebra/flags/redis")).redisAssignments(given({ url, namespace }));
    }
    case "postgres": {
      const { url: connectionString, schema } = config;
      return (await import("@hebra/flags/postgres")).postgresAssignments(given({ connectionString, schema }));
    }
  }
}

/** Leaves out what is undefined. */
const given = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
