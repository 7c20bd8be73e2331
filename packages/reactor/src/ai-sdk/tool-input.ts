import type { JsonValue } from "@hebra/core";

/** The input of a call as the model wrote it: text where it is no JSON, so that the model can be told. */
export function parseToolInput(text: string): JsonValue {
  // Many models write nothing for a call without arguments.
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text, suspect.test(text) ? refusePrototypes : undefined) as JsonValue;
  } catch {
    return text;
  }
}

/** A name that could do harm stands in the text, or an escape that may hide one. */
const suspect = /__proto__|constructor|\\u/;

/** The AI SDK takes no input that could change the prototypes of what it is copied into, and neither do we. */
function refusePrototypes(key: string, value: unknown): unknown {
  if (
    key === "__proto__" ||
    (key === "constructor" && typeof value === "object" && value !== null && Object.hasOwn(value, "prototype"))
  )
    throw new SyntaxError("a prototype in the input of a call");
  return value;
}
