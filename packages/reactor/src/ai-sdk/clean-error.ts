import { redactText } from "@hebra/core";

const MAX_LENGTH = 600;
const MAX_CAUSES = 3;

/** The AI SDK ends the messages of some errors with the value that was wrong: the prompt, or the answer. */
const quotedValue = /[\s.:]*\b(?:Value|Text|Error message): [\s\S]*$/;
const quoting: ReadonlySet<string> = new Set([
  "AI_TypeValidationError",
  "AI_JSONParseError",
  "AI_InvalidPromptError",
  "AI_InvalidToolInputError",
  "AI_InvalidDataContentError",
]);
/** Of an address everything up to its query: keys stand there under any name. */
const url = /\b([a-z][a-z0-9+.-]*:\/\/)(?:[^\s/?#@]*@)?([^\s?#"'<>]*)(?:[?#][^\s"'<>]*)?/gi;

/**
 * The message of anything thrown: providers also throw plain objects, of which nothing but the message may be shown.
 */
export function messageOf(error: unknown): string {
  const { message } = (typeof error === "object" && error !== null ? error : {}) as { message?: unknown };
  if (typeof message === "string" && message !== "") return message;
  return typeof error === "string" ? error : "no message was given";
}

/** A message without URL queries, user names in URLs, things that look like keys, and quoted values. */
export function cleanText(text: string, name?: string): string {
  let clean = text.slice(0, 8 * MAX_LENGTH);
  if (name !== undefined && quoting.has(name)) clean = clean.replace(quotedValue, "");
  clean = clean.replace(url, "$1$2");
  clean = redactText(clean);
  return clean.length > MAX_LENGTH ? `${clean.slice(0, MAX_LENGTH).toWellFormed()}…` : clean.toWellFormed();
}

/** A plain error in place of a foreign one, and of its causes: name, code, clean message and frames, nothing else. */
export function briefCause(error: unknown, depth = 1): Error {
  const { name, stack, cause, code } = (typeof error === "object" && error !== null ? error : {}) as {
    name?: unknown;
    stack?: unknown;
    cause?: unknown;
    code?: unknown;
  };
  const own = typeof name === "string" ? name : "Error";
  const brief = new Error(
    cleanText(messageOf(error), own),
    cause === undefined || cause === null || depth >= MAX_CAUSES ? undefined : { cause: briefCause(cause, depth + 1) },
  );
  brief.name = own;
  const frames = typeof stack === "string" ? stack.split("\n").filter((line) => /^\s+at /.test(line)) : [];
  brief.stack = [`${own}: ${brief.message}`, ...frames].join("\n");
  return typeof code === "string" ? Object.assign(brief, { code }) : brief;
}
