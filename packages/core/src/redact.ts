import * as z from "zod";
import type { JsonValue } from "./json.ts";
import { parseOptions } from "./options.ts";
import { createKeyJudge } from "./redact-keys.ts";
import { createTextScrubber, type RedactionPattern } from "./redact-text.ts";
import { createWalker } from "./redact-walk.ts";

/** What a redactor lets pass and what it hides. Every list adds to the built-in ones. */
export interface RedactorOptions {
  /**
   * Keys whose values may pass, with their text scrubbed. Case, `_` and `-` do not matter; the whole key must match.
   * Beats the built-in secret names. @defaultValue none
   */
  allowKeys?: readonly string[];
  /**
   * Names that hide all below them wherever they stand in a key as whole words. Beats `allowKeys`. @defaultValue none
   */
  denyKeys?: readonly string[];
  /** Shapes of secrets to hide in text, tried before the built-in ones. @defaultValue none */
  patterns?: readonly RedactionPattern[];
  /**
   * Whether text loses, beside secrets, what identifies a person: telephone numbers, and national ids of Brazil, Chile,
   * Spain, the United Kingdom and the United States, by their form and check digits. Names and addresses of streets
   * stay; e-mail addresses, cards and bank accounts are hidden in any case. @defaultValue false
   */
  personalData?: boolean;
  /** How deep structures are followed. @defaultValue 8 */
  maxDepth?: number;
  /** UTF-16 units kept of each text in a structure. @defaultValue 4096 */
  maxStringLength?: number;
  /** Members kept of each object, array, map and set. @defaultValue 100 */
  maxEntries?: number;
  /** Values visited in one structure, all told. @defaultValue 5000 */
  maxNodes?: number;
}

/** Removes secrets. It stands before every log, journal, artifact, dead letter and incident. */
export interface Redactor {
  /** A JSON copy of any value without its secrets. Never throws, whatever the value's getters and proxies do. */
  redact(value: unknown): JsonValue;
  /** The text with every secret of a known shape hidden. It is not cut. */
  redactText(text: string): string;
}

const count = z.int().positive();
const optionsSchema = z.strictObject({
  allowKeys: z.array(z.string()).default([]),
  denyKeys: z.array(z.string()).default([]),
  patterns: z
    .array(z.strictObject({ name: z.string().regex(/^[A-Za-z0-9-]{1,40}$/), pattern: z.instanceof(RegExp) }))
    .default([]),
  personalData: z.boolean().default(false),
  maxDepth: count.default(8),
  maxStringLength: count.default(4_096),
  maxEntries: count.default(100),
  maxNodes: count.default(5_000),
});

/**
 * Makes a redactor. Structures go by an allow list:
 *
 * - under an allowed key, text passes after {@link Redactor.redactText} and numbers pass unless they are card numbers;
 * - under a secret's name (`apiKey`, `X-Api-Key`, `access_token`; whole words only, so `truth` is not `rut`) everything
 *   is
 *   replaced by `[redacted:<type>]`;
 * - under any other key, `null` and booleans pass, other scalars are replaced by `[redacted:<type>]`, and objects and
 *   arrays
 *   are followed: each member is judged by its own key. Array members go by the key of the array, the root is allowed.
 *
 * Errors become `{name, message, code, stack, cause, …}` with their text scrubbed; maps become objects, sets arrays,
 * dates ISO
 * text, bytes `[bytes:<length>]`; cycles, depth and size limits leave a placeholder. Symbol keys are left out.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createRedactor } from "@hebra/core";
 *
 * const { redact, redactText } = createRedactor({ allowKeys: ["plan"] });
 * console.log(redact({ plan: "pro", nickname: "Ada", apiKey: "k-1" }));
 * // { plan: "pro", nickname: "[redacted:string]", apiKey: "[redacted:string]" }
 * console.log(redactText("GET https://u:p@example.com/?t=1&page=2 Authorization: Bearer abc"));
 * // GET https://[redacted]@example.com/?t=[redacted]&page=2 Authorization: [redacted]
 * ```
 */
export function createRedactor(options: RedactorOptions = {}): Redactor {
  const parsed = parseOptions("createRedactor", optionsSchema, options);
  const judge = createKeyJudge(parsed);
  const redactText = createTextScrubber(judge, parsed.patterns, parsed.personalData);
  return { redact: createWalker(parsed, judge, redactText), redactText };
}

const standard = createTextScrubber(createKeyJudge({ allowKeys: [], denyKeys: [] }), []);

/** Hides the secrets of known shapes in a text, with the built-in rules alone. See {@link createRedactor}. */
export function redactText(text: string): string {
  return standard(text);
}
