import type { Model, StreamPartOf } from "./specification.ts";

type Warning = StreamPartOf<"stream-start">["warnings"][number];

/**
 * Says what the provider warns of where the AI SDK would: to the host's `AI_SDK_LOG_WARNINGS`, or on the console unless
 * that is `false`.
 */
export function logWarnings(warnings: Warning[], { provider, modelId }: Model): void {
  const logger = globalThis.AI_SDK_LOG_WARNINGS;
  if (warnings.length === 0 || logger === false) return;
  if (logger !== undefined) return logger({ warnings, provider, model: modelId });
  for (const warning of warnings) console.warn(`AI SDK Warning (${provider} / ${modelId}): ${wordsOf(warning)}`);
}

function wordsOf(warning: Warning): string {
  switch (warning.type) {
    case "unsupported":
    case "compatibility":
      return `The feature "${warning.feature}" is ${warning.type === "unsupported" ? "not supported" : "used in a compatibility mode"}.${warning.details === undefined ? "" : ` ${warning.details}`}`;
    case "other":
      return warning.message;
    default:
      // Models of the specification v2 warn in words of their own.
      return JSON.stringify(warning);
  }
}
