import type { RuntimeConfig } from "../config.ts";

/**
 * The same configuration, local: one process, a bus and locks of its own, threads in a file. What it says about
 * behaviour stays.
 */
export function localConfig(config: RuntimeConfig, path: string): RuntimeConfig {
  const { leaseMs, maxAttempts, maxBacklog } = config.bus ?? {};
  const bus = Object.fromEntries(
    Object.entries({ leaseMs, maxAttempts, maxBacklog }).filter(([, value]) => value !== undefined),
  );
  return {
    bus: { backend: "local", ...bus },
    locks: { backend: "local" },
    store: { backend: "sqlite", path },
    workers: 1,
    ...(config.sweepMs === undefined ? {} : { sweepMs: config.sweepMs }),
  };
}
