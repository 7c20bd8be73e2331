import { createRedactor, createTelemetry, type Telemetry } from "@hebra/core";
import { isTelemetry, type ThreadTelemetryOptions } from "../engine/telemetry-options.ts";
import { createContentWriter, type ContentWriter } from "./content.ts";

/**
 * Who tells, and what may be told.
 *
 * @param given - parsed by {@link telemetryOption}.
 * @param scope - the name under which it is told.
 * @throws HebraError `INVALID_OPTIONS` for the options of the redactor.
 */
export function openTelemetry(
  given: Telemetry | ThreadTelemetryOptions | undefined,
  scope: string,
): { telemetry: Telemetry; content: ContentWriter | undefined } {
  if (isTelemetry(given)) return { telemetry: given, content: undefined };
  const { enabled = true, content = false } = given ?? {};
  const telemetry = createTelemetry({ name: scope, enabled });
  if (content === false || !telemetry.enabled) return { telemetry, content: undefined };
  return { telemetry, content: createContentWriter(createRedactor(content === true ? {} : content)) };
}
