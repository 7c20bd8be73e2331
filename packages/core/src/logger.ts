import * as z from "zod";
import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import { escapeControls } from "./escape-controls.ts";
import { parseOptions } from "./options.ts";
import { createRedactor, type Redactor } from "./redact.ts";

/** How much a line matters, from least to most. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** What a line carries besides its message: ids, counts, an `error`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where every package writes what an operator should see. Pino, winston and the console fit with a thin wrapper. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** How {@link consoleLogger} writes. */
export interface ConsoleLoggerOptions {
  /** Lines of lower level are dropped. @defaultValue `"info"` */
  level?: LogLevel;
  /** Stands between the caller and the line. @defaultValue `createRedactor()` */
  redactor?: Redactor;
  /** Takes one line, with its line break. @defaultValue standard error */
  write?: (line: string) => void;
  /** Where `at` comes from. @defaultValue the system's */
  clock?: Pick<Clock, "now">;
}

const LEVELS: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 };
const RESERVED = new Set(["at", "level", "message"]);

const nothing = (): void => {};

/** Drops every line: the default wherever a logger may be given. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

const optionsSchema = z.strictObject({
  level: z.enum(["debug", "info", "warn", "error"]).default("info"),
  redactor: z
    .custom<Redactor>((value) => typeof (value as Redactor | null)?.redact === "function", "must be a redactor")
    .optional(),
  write: z.custom<(line: string) => void>((value) => typeof value === "function", "must be a function").optional(),
  clock: z
    .custom<Pick<Clock, "now">>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock")
    .optional(),
});

/**
 * Writes one JSON object a line: `at`, `level`, `message`, then the fields, all through the redactor. A field named
 * like one of
 * those three gets a `fields.` before its name. A line that cannot be written is dropped: logging never throws.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { consoleLogger } from "@hebra/core";
 *
 * const logger = consoleLogger({ level: "debug" });
 * logger.info("turn completed", { executionId: "e-1", durationMs: 12, apiKey: "k-1" });
 * // {"at":"…","level":"info","message":"turn completed","executionId":"e-1","durationMs":12,
 * //  "apiKey":"[redacted:string]"}
 * ```
 */
export function consoleLogger(options: ConsoleLoggerOptions = {}): Logger {
  const parsed = parseOptions("consoleLogger", optionsSchema, options);
  const redactor = parsed.redactor ?? createRedactor();
  const clock = parsed.clock ?? systemClock;
  const write = parsed.write ?? ((line: string) => void process.stderr.write(line));
  const least = LEVELS[parsed.level];

  const at = (level: LogLevel) =>
    LEVELS[level] < least
      ? nothing
      : (message: string, fields?: LogFields): void => {
          try {
            const line: Record<string, unknown> = {
              at: new Date(clock.now()).toISOString(),
              level,
              message: redactor.redactText(message),
            };
            const clean = fields === undefined ? {} : redactor.redact(fields);
            if (typeof clean === "object" && clean !== null && !Array.isArray(clean)) {
              for (const [key, value] of Object.entries(clean)) {
                const name = RESERVED.has(key) ? `fields.${key}` : key;
                Object.defineProperty(line, name, { value, enumerable: true, configurable: true });
              }
            }
            write(`${escapeControls(JSON.stringify(line))}\n`);
          } catch {
            // A full disk or a closed pipe must not fail the turn that was logged.
          }
        };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/**
 * A logger whose every line carries these fields too, e.g. the ids of a turn. A line's own field of the same name wins.
 *
 * @example
 * ```ts
 * import { consoleLogger, withFields } from "@hebra/core";
 *
 * const turn = withFields(consoleLogger(), { executionId: "e-1", contextId: "c-1" });
 * turn.warn("action slow", { ms: 900 });
 * ```
 */
export function withFields(logger: Logger, fields: LogFields): Logger {
  return {
    debug: (message, more) => logger.debug(message, { ...fields, ...more }),
    info: (message, more) => logger.info(message, { ...fields, ...more }),
    warn: (message, more) => logger.warn(message, { ...fields, ...more }),
    error: (message, more) => logger.error(message, { ...fields, ...more }),
  };
}
