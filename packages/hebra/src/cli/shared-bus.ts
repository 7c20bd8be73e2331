import { HebraError } from "@hebra/core";
import type { Bus } from "@hebra/bus";
import { openBus, parseRuntimeConfig } from "@hebra/thread/runtime";
import { loadConfig } from "./app.ts";
import type { CliOptions } from "./options.ts";

/**
 * The shared bus of a configuration. @throws HebraError `INVALID_OPTIONS` for a local one, which no other process can
 * see; `UNREACHABLE`
 */
export async function withBus<T>(options: CliOptions, use: (bus: Bus) => Promise<T>): Promise<T> {
  const { bus: settings } = parseRuntimeConfig(await loadConfig(options.config));
  const bus = settings.backend === "local" ? undefined : await openBus(settings);
  if (bus === undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      "The bus of this configuration is local: it lives inside its own process, whose /stats answers. Pass the --config of a shared one.",
    );
  try {
    // `stats` waits for an answer only so long; `ready` would wait for ever.
    await bus.stats();
    return await use(bus);
  } finally {
    await bus.close();
  }
}
