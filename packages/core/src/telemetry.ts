import { createRequire } from "node:module";
import * as z from "zod";
import { parseOptions } from "./options.ts";
import { noopTelemetry } from "./telemetry-noop.ts";
import { otelTelemetry, type OpenTelemetryApi } from "./telemetry-otel.ts";
import type { Telemetry } from "./telemetry-port.ts";

/** Who emits. */
export interface TelemetryOptions {
  /** The instrumentation scope: the package's name. */
  name: string;
  /** The package's version. */
  version?: string;
  /** `false` records nothing even where OpenTelemetry is installed. @defaultValue true */
  enabled?: boolean;
}

const optionsSchema = z.strictObject({
  name: z.string().min(1),
  version: z.string().optional(),
  enabled: z.boolean().default(true),
});

/**
 * Spans and metrics through `@opentelemetry/api`, which is an optional peer: without it everything below does nothing,
 * and costs next to
 * nothing. The host chooses and registers the SDK. Names are in `genAi`, `genAiMetrics` and `hebraAttributes`.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createTelemetry, genAi, genAiOperations } from "@hebra/core";
 *
 * const telemetry = createTelemetry({ name: "@acme/desk", version: "1.0.0" });
 * const attributes = { [genAi.operationName]: genAiOperations.executeTool, [genAi.toolName]: "lookup" };
 * const found = await telemetry.span("execute_tool lookup", { attributes }, async () => ({ order: "A-1" }));
 * console.log(found.order);
 * ```
 */
export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { name, version, enabled } = parseOptions("createTelemetry", optionsSchema, options);
  const api = enabled ? loadApi() : undefined;
  return api === undefined ? noopTelemetry : otelTelemetry(api, name, version);
}

/**
 * Synchronous, since a factory is: the API package is tiny and shares its state between copies through the global
 * object.
 */
function loadApi(): OpenTelemetryApi | undefined {
  try {
    return createRequire(import.meta.url)("@opentelemetry/api") as OpenTelemetryApi;
  } catch {
    return undefined;
  }
}
