import { HebraError, type JsonObject } from "@hebra/core";
import * as z from "zod";
import type { ChannelMessage } from "../../channel.ts";
import type { AskedAddress } from "./caller.ts";

const text = z.string();
const person = z.strictObject({ id: text.min(1).max(400), name: text.optional() });
/** What a client may say. Reasoning and results of actions are the engine's to write. */
const part = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("text"), text }),
  z.strictObject({ kind: z.literal("file"), mediaType: text.min(1), url: text.min(1), filename: text.optional() }),
  z.strictObject({ kind: z.literal("data"), name: text.min(1), data: z.unknown() }),
]);
const bodySchema = z.strictObject({
  id: text.min(1).max(400),
  chat: text.min(1).max(400).optional(),
  text: text.optional(),
  parts: z.array(part).optional(),
  sender: person.optional(),
  metadata: z.record(text, z.unknown()).optional(),
  tenant: text.min(1).optional(),
  session: text.min(1).optional(),
  thread: text.min(1).optional(),
  interrupt: z.boolean().optional(),
});

/** Every field that a body may have. */
export const messageFields: readonly string[] = Object.keys(bodySchema.shape);

/** A message as it was posted: its content, and the address that it asks for. */
export interface PostedMessage {
  content: Pick<ChannelMessage, "id" | "text" | "parts" | "metadata">;
  asked: AskedAddress;
}

/** Levels of arrays and objects in a body at most. */
const MAX_DEPTH = 64;
/** Problems of a body that its refusal names. */
const MAX_PROBLEMS = 3;
const MAX_NAME = 60;

/**
 * Reads a posted message in time that is linear in its length.
 *
 * @throws HebraError `INVALID_OPTIONS` for a body that is no message
 */
export function readMessage(body: Uint8Array, limits: { maxParts: number }): PostedMessage {
  const raw = parseJson(new TextDecoder().decode(body));
  const count = Array.isArray(raw?.["parts"]) ? raw["parts"].length : 0;
  if (count > limits.maxParts) throw refused(`\`parts\` has ${count} entries; at most ${limits.maxParts} are accepted`);
  const result = bodySchema.safeParse(raw);
  if (!result.success) throw refused(problemsOf(result.error.issues));
  const { id, text, parts, metadata, ...asked } = result.data;
  if ((text ?? "") === "" && count === 0) throw refused("it has neither `text` nor `parts`");
  const kept = metadata === undefined ? {} : { metadata: metadata as JsonObject };
  const content = {
    id,
    ...(text === undefined ? {} : { text }),
    ...(parts === undefined ? {} : { parts: parts as NonNullable<ChannelMessage["parts"]> }),
    ...kept,
  };
  return { content, asked: { ...asked, ...kept } };
}

const refused = (why: string) => new HebraError("INVALID_OPTIONS", `The message is refused: ${why}.`);

function parseJson(text: string): Record<string, unknown> | undefined {
  if (!text.isWellFormed()) throw refused("its text is not well-formed");
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (quoted) {
      if (char === 92) at++;
      else if (char === 34) quoted = false;
    } else if (char === 34) quoted = true;
    else if (char === 91 || char === 123) {
      if (++depth > MAX_DEPTH) throw refused(`it is nested more than ${MAX_DEPTH} levels deep`);
    } else if (char === 93 || char === 125) depth--;
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    throw refused("its body is not JSON");
  }
}

function problemsOf(issues: readonly z.core.$ZodIssue[]): string {
  const named = issues.slice(0, MAX_PROBLEMS).map((issue) => {
    const path = issue.path.map(String).join(".").slice(0, MAX_NAME);
    if (issue.code === "unrecognized_keys") {
      const keys = issue.keys.slice(0, MAX_PROBLEMS).map((key) => `\`${key.slice(0, MAX_NAME)}\``);
      const others = issue.keys.length - keys.length;
      return `unknown ${issue.keys.length === 1 ? "field" : "fields"} ${keys.join(", ")}${others > 0 ? ` and ${others} more` : ""}${path === "" ? "" : ` in \`${path}\``}`;
    }
    return path === "" ? issue.message : `\`${path}\`: ${issue.message}`;
  });
  const others = issues.length - named.length;
  return named.join("; ") + (others > 0 ? `; and ${others} more problems` : "");
}
