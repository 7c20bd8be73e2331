import { errorCodes, type ErrorCode } from "./error-codes.ts";
import type { JsonValue } from "./json.ts";

const MARKER = Symbol.for("hebra.error");

/** What a {@link HebraError} carries besides its code and message. */
export interface HebraErrorOptions {
  /** The error that led to this one. Foreign errors are wrapped once, at the adapter that met them. */
  cause?: unknown;
  /** Whether trying the same call again may succeed. @defaultValue what the code table says */
  retryable?: boolean;
  /** Facts for machines: ids, limits, names. Never a secret. */
  details?: Record<string, JsonValue>;
}

/**
 * The one error class of Hebra. Branch on `code`, never on the message.
 *
 * @example
 * ```ts
 * import { HebraError } from "@hebra/core";
 *
 * const error: unknown = new HebraError("THREAD_BUSY", "The thread award_42 is running another turn.");
 * if (HebraError.isInstance(error) && error.retryable) console.log(error.code);
 * ```
 */
export class HebraError extends Error {
  override readonly name = "HebraError";
  /** The stable code; `docs/errors.md` has a heading for each. */
  readonly code: ErrorCode;
  /** Whether trying the same call again, unchanged, may succeed. */
  readonly retryable: boolean;
  /** Facts for machines: ids, limits, names. */
  readonly details: Readonly<Record<string, JsonValue>>;

  constructor(code: ErrorCode, message: string, options: HebraErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    // A code from a newer copy of the package, or from plain JavaScript, must not turn one error into another.
    this.retryable = options.retryable ?? (errorCodes as Partial<typeof errorCodes>)[code]?.retryable ?? false;
    this.details = options.details ?? {};
    Object.defineProperty(this, MARKER, { value: true });
  }

  /** Recognises a Hebra error also when it comes from another copy of the package. */
  static isInstance(value: unknown): value is HebraError {
    try {
      return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[MARKER] === true;
    } catch {
      return false; // A proxy that throws. What is thrown at us must not make us throw.
    }
  }

  /** `code`, `message`, `retryable` and `details`; the cause and the stack stay out. */
  toJSON(): {
    name: string;
    code: ErrorCode;
    message: string;
    retryable: boolean;
    details: Readonly<Record<string, JsonValue>>;
  } {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      details: this.details,
    };
  }
}

/** The error's code when it is a Hebra error, else `undefined`. */
export function errorCode(error: unknown): ErrorCode | undefined {
  return HebraError.isInstance(error) ? error.code : undefined;
}

/** The message of anything thrown, also of things that are not errors. Never throws. */
export function errorMessage(error: unknown): string {
  if (typeof error === "string") return error;
  try {
    const message: unknown =
      typeof error === "object" && error !== null ? (error as { message?: unknown }).message : undefined;
    if (typeof message === "string") return message;
    return JSON.stringify(error) ?? String(error);
  } catch {
    return describeType(error);
  }
}

/** For what can be neither read nor printed: cycles, revoked proxies, objects whose `toString` throws. */
function describeType(error: unknown): string {
  try {
    return Object.prototype.toString.call(error);
  } catch {
    return "[unreadable]";
  }
}
