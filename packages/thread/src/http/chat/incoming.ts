import { HebraError, type JsonValue } from "@hebra/core";
import * as z from "zod";
import type { Trigger } from "../../engine/trigger.ts";

const text = z.string();
const id = text.min(1).max(512);
const role = z.enum(["user", "assistant", "system"]);
const part = z.looseObject({ type: text.min(1).max(512) });

/** What `useChat` sends. Its version adds members that nothing here needs; only the last message is read. */
export const chatBody = z.looseObject({
  id,
  trigger: z.enum(["submit-message", "regenerate-message"]).default("submit-message"),
  messageId: id.optional(),
  messages: z.array(z.looseObject({ id: id.optional(), role, parts: z.array(part).optional() })).min(1),
  thread: id.optional().meta({ description: "Names a definition that answers here." }),
});
export type ChatBody = z.output<typeof chatBody>;
type Message = ChatBody["messages"][number];

const toolPart = z.looseObject({
  toolCallId: id,
  state: text,
  output: z.json().optional(),
  errorText: text.max(20_000).optional(),
  approval: z.looseObject({ id, approved: z.boolean().optional(), reason: text.max(20_000).optional() }).optional(),
});

/** What a client decides, or gives, in the message that it sends back. */
export interface Answers {
  callIds: Set<string>;
  decisions: { approvalId: string; approved: boolean; comment: string | undefined }[];
  outputs: ({ callId: string } & ({ output: JsonValue } | { errorText: string }))[];
}

/** The answers in an assistant's message. */
export function answersOf({ parts = [] }: Message): Answers {
  const answers: Answers = { callIds: new Set(), decisions: [], outputs: [] };
  for (const given of parts) {
    const parsed = isTool(given.type) ? toolPart.safeParse(given) : undefined;
    if (parsed?.success !== true) continue;
    const { toolCallId: callId, state, output, errorText, approval } = parsed.data;
    answers.callIds.add(callId);
    if (approval?.approved !== undefined)
      answers.decisions.push({ approvalId: approval.id, approved: approval.approved, comment: approval.reason });
    if (state === "output-available") answers.outputs.push({ callId, output: output ?? null });
    if (state === "output-error") answers.outputs.push({ callId, errorText: errorText ?? "It failed." });
  }
  return answers;
}

const isTool = (type: string) => type.startsWith("tool-") || type === "dynamic-tool";

const textPart = z.looseObject({ text });
const filePart = z.looseObject({ mediaType: text.min(1), url: text.min(1), filename: text.optional() });
const dataPart = z.looseObject({ data: z.json() });

type TriggerPart = NonNullable<Trigger["parts"]>[number];

/** The parts of a user's message. @throws HebraError `INVALID_OPTIONS` */
export function triggerParts({ parts = [] }: Message, most: number): TriggerPart[] {
  if (parts.length > most) throw refused(`it has ${parts.length} parts; at most ${most} are accepted`);
  const made = parts.flatMap(triggerPart);
  if (made.length === 0) throw refused("it has no text, file or data part");
  return made;
}

function triggerPart(given: z.output<typeof part>): TriggerPart[] {
  const { type } = given;
  if (type === "text") {
    const { text: words } = fitting(textPart, given);
    return words === "" ? [] : [{ kind: "text", text: words }];
  }
  if (type === "file") {
    const { mediaType, url, filename } = fitting(filePart, given);
    return [{ kind: "file", mediaType, url, ...(filename === undefined ? {} : { filename }) }];
  }
  if (type.startsWith("data-") && type.length > "data-".length)
    return [{ kind: "data", name: type.slice("data-".length), data: fitting(dataPart, given).data }];
  throw refused("it has a part that a user cannot send");
}

function fitting<S extends z.ZodType>(schema: S, given: unknown): z.output<S> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw refused("one of its parts is incomplete");
}

const refused = (why: string) => new HebraError("INVALID_OPTIONS", `The message is refused: ${why}.`);
