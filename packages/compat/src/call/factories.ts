import { HebraError } from "@hebra/core";
import { processWide } from "./process-wide.ts";
import type { AnyThread } from "./types.ts";

/** What makes each registered thread, by its key. */
export const factories = processWide("threads", () => new Map<string, () => AnyThread>());

/** @throws HebraError `DEFINITION_MISSING` */
export function factoryOf(key: string): () => AnyThread {
  const factory = factories.get(key);
  if (factory === undefined) {
    throw new HebraError(
      "DEFINITION_MISSING",
      `There is no thread registered under ${JSON.stringify(key)}. Import the module that registers it when the process starts.`,
      { details: { definition: key }, retryable: false },
    );
  }
  return factory;
}
