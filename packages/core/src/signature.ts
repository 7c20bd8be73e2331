import { types } from "node:util";
import { digest } from "./canonical-json.ts";
import { errorMessage, HebraError } from "./errors.ts";
import { messageTemplate } from "./message-template.ts";
import { createRedactor } from "./redact.ts";
import { stackFrames } from "./stack-frames.ts";

/** What makes two occurrences of an error the same problem. JSON, free of secrets, safe to store and to show. */
export interface ErrorSignature {
  /** The version of the rules below. A fingerprint is compared only with those of its own version. */
  v: 1;
  /** A Hebra code, Node's or a database's `code`, `HTTP_<status>`, else `UNKNOWN`. */
  code: string;
  /** The part of the system that met the error, as the caller named it. */
  component: string;
  /** Lower-case hex SHA-256 over version, code, component, message and functions. */
  fingerprint: string;
  /**
   * The message without what varies: ids, numbers, times, paths, quoted texts. Host names stay. Causes follow after `
   * <- `.
   */
  message: string;
  /** The topmost functions outside Node itself, with their files' base names: `save (store)`. */
  frames: string[];
}

/** Who met the error. */
export interface ErrorSignatureOptions {
  /** The part of the system: a package, a workflow, an adapter. Low-cardinality: no ids. */
  component: string;
  /** Overrides the code found on the error. */
  code?: string;
}

const MAX_CAUSES = 4;
/**
 * Only the beginning of a message counts; the rest of what is scrubbed is there so that no secret is cut into a piece.
 */
const MAX_MESSAGE = 16_384;
const { redact, redactText } = createRedactor();

/**
 * The one identity of an error, for retries, dead letters, metrics, incidents and rollbacks. Secrets are removed before
 * anything is
 * hashed. Line numbers, directories, file extensions and, where a function has a name, its file stay out of the
 * fingerprint, so that
 * it survives an edit elsewhere in the file, another machine, and running from source or from the built package.
 *
 * @example
 * ```ts
 * import { errorSignature, HebraError } from "@hebra/core";
 *
 * const signature = errorSignature(new HebraError("THREAD_BUSY", "The thread award_42 is running another turn."), {
 * component: "worker" });
 * console.log(signature.code, signature.message); // THREAD_BUSY The thread award_<n> is running another turn.
 * ```
 */
export function errorSignature(error: unknown, options: ErrorSignatureOptions): ErrorSignature {
  const chain = causes(error);
  const code = cleanCode(options.code) ?? firstCode(chain) ?? "UNKNOWN";
  const component = redactText(options.component);
  const message = chain
    .map(describe)
    .filter((text) => text !== "")
    .join(" <- ")
    .slice(0, 600)
    .toWellFormed();
  const frames = chain.map((link) => stackFrames(link, redactText)).find((found) => found.length > 0) ?? [];
  const fingerprint = digest({ v: 1, code, component, message, frames: frames.map((frame) => frame.identity) });
  return { v: 1, code, component, fingerprint, message, frames: frames.map((frame) => frame.label) };
}

/**
 * The error and what caused it, outermost first. A group of errors without a message of its own stands for its first.
 */
function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let link = error; chain.length < MAX_CAUSES && !chain.includes(link);) {
    chain.push(link);
    const next = property(link, "cause") ?? firstOf(property(link, "errors"));
    if (next === undefined || next === null) break;
    link = next;
  }
  return chain;
}

function firstOf(errors: unknown): unknown {
  return Array.isArray(errors) ? errors[0] : undefined;
}

function firstCode(chain: readonly unknown[]): string | undefined {
  let status: string | undefined;
  for (const link of chain) {
    const code = HebraError.isInstance(link) ? link.code : cleanCode(property(link, "code"));
    if (code !== undefined) return code;
    status ??=
      httpCode(property(link, "status")) ??
      httpCode(property(link, "statusCode")) ??
      httpCode(property(property(link, "response"), "status"));
  }
  return status;
}

/** A code is a short constant: `ECONNRESET`, `ERR_INVALID_URL`, `42P01`. Anything else on `code` is data. */
function cleanCode(code: unknown): string | undefined {
  return typeof code === "string" && /^[A-Z0-9][A-Z0-9_.-]{1,63}$/i.test(code) && redactText(code) === code
    ? code
    : undefined;
}

function httpCode(status: unknown): string | undefined {
  return typeof status === "number" && Number.isInteger(status) && status >= 400 && status <= 599
    ? `HTTP_${status}`
    : undefined;
}

function describe(link: unknown): string {
  if (!types.isNativeError(link) && !(link instanceof Error)) {
    if (typeof link !== "object" || link === null) return template(errorMessage(link));
    const own = property(link, "message");
    return typeof own === "string" ? template(own) : messageTemplate(JSON.stringify(redact(link)));
  }
  const name = property(link, "name");
  const prefix = typeof name === "string" && !/^(?:Error|HebraError)$/.test(name) ? `${name}: ` : "";
  const message = property(link, "message");
  return template(`${prefix}${typeof message === "string" ? message : ""}`);
}

function template(message: string): string {
  return messageTemplate(redactText(message.slice(0, MAX_MESSAGE)));
}

function property(value: unknown, key: string): unknown {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}
