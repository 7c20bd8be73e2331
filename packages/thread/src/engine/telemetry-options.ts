import type { RedactorOptions, Telemetry } from "@hebra/core";
import * as z from "zod";

/** What is told through OpenTelemetry, and what is not. */
export interface ThreadTelemetryOptions {
  /** `false` tells nothing, even where OpenTelemetry is installed. @defaultValue true */
  enabled?: boolean;
  /**
   * Whether spans also carry what was said: instructions, messages, inputs and outputs of actions, messages of errors.
   * It all
   * goes through a redactor, whose options may be given: under a key that is not allowed, a value of an input or an
   * output is
   * replaced; secrets of known names and shapes always are.
   *
   * @defaultValue false
   */
  content?: boolean | RedactorOptions;
}

/** Whether a value is an open `Telemetry`, and not options of one. */
export const isTelemetry = (value: unknown): value is Telemetry =>
  typeof (value as Telemetry | undefined)?.startSpan === "function";
const options = z.strictObject({
  enabled: z.boolean().default(true),
  content: z
    .union([
      z.boolean(),
      z.custom<RedactorOptions>(
        (value) => typeof value === "object" && value !== null,
        "must be true, false or options of a redactor",
      ),
    ])
    .default(false),
});

/** The member of an options' schema. */
export const telemetryOption = z.union([
  z.custom<Telemetry>(isTelemetry, "must be a Telemetry, or options of one"),
  options,
]);
