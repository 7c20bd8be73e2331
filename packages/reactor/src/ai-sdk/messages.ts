import { HebraError } from "@hebra/core";
import type { ModelMessage } from "ai";
import type { TranscriptMessage } from "../transcript.ts";
import { approvalMessages, type Decided } from "./approvals.ts";
import { assistantMessages } from "./assistant-messages.ts";
import { toFile } from "./files.ts";
import { toOptions } from "./metadata.ts";
import { createPromptIds } from "./prompt-ids.ts";
import type { PromptOptions } from "./prompt-options.ts";
import { fitToProvider } from "./provider-rules.ts";
import type { PromptContent, PromptMessage } from "./specification.ts";
import { partWords } from "./words.ts";

/**
 * The transcript as AI SDK messages. Each step of an assistant's message becomes an assistant message and, when it has
 * calls,
 * a tool message with a result for every one. Sources are left out: no provider takes them back. Empty messages are
 * left out.
 * The first message after the system's is always the user's, and the last is never the assistant's.
 *
 * @throws HebraError `UNSUPPORTED` for a role or a kind of part that this version does not know.
 *
 * @example
 * ```ts
 * import { toModelMessages } from "@hebra/reactor/ai-sdk";
 *
 * const messages = await toModelMessages([{ id: "item-1", role: "user", parts: [{ kind: "text", text: "Hello." }] }]);
 * console.log(messages); // [{ role: "user", content: [{ type: "text", text: "Hello." }] }]
 * ```
 */
export async function toModelMessages(
  transcript: readonly TranscriptMessage[],
  options: PromptOptions = {},
): Promise<ModelMessage[]> {
  return toPrompt(transcript, options);
}

/** The same messages as a model is asked with: of what the AI SDK takes, we use no more than models take themselves. */
export async function toPrompt(
  transcript: readonly TranscriptMessage[],
  options: PromptOptions,
  decided: readonly Decided[] = [],
): Promise<PromptMessage[]> {
  const said: PromptMessage[] = [];
  const promptId = createPromptIds();
  for (const message of transcript) {
    switch (message.role) {
      case "assistant":
        said.push(...(await assistantMessages(message.parts, options, promptId)));
        break;
      case "user": {
        const content = await userContent(message, options);
        if (content.length > 0) said.push({ role: "user", content });
        break;
      }
      case "system":
        pushSystem(said, wordsOf(message, options), options);
        break;
      default:
        throw new HebraError(
          "UNSUPPORTED",
          `The transcript has a message of the role ${JSON.stringify(message.role)}, which aiSdkReactor does not know. Upgrade @hebra/reactor.`,
        );
    }
  }
  const messages = fitToProvider(said, options.provider).concat(approvalMessages(decided, options.provider));
  const start = messages.findIndex(({ role }) => role !== "system");
  if (messages[start]?.role !== "user")
    messages.splice(start === -1 ? messages.length : start, 0, say(options.opening ?? "[The conversation begins.]"));
  if (messages.at(-1)?.role === "assistant") messages.push(say(options.continuation ?? "Continue."));
  return messages;
}

function say(text: string): PromptMessage {
  return { role: "user", content: [{ type: "text", text }] };
}

async function userContent(message: TranscriptMessage, options: PromptOptions): Promise<PromptContent<"user">> {
  const content: PromptContent<"user"> = [];
  for (const part of message.parts) {
    const file = part.kind === "file" ? await toFile(part, options.readFile) : undefined;
    if (file !== undefined) {
      content.push(file);
      continue;
    }
    const text = partWords(part, message.role, options);
    if (text !== "") content.push({ type: "text", text, ...toOptions(part.providerMetadata) });
  }
  return content;
}

function wordsOf(message: TranscriptMessage, options: PromptOptions): string {
  return message.parts
    .map((part) => partWords(part, message.role, options))
    .filter((text) => text !== "")
    .join("\n");
}

function pushSystem(messages: PromptMessage[], text: string, options: PromptOptions): void {
  if (text === "") return;
  const leading = messages.every(({ role }) => role === "system");
  if (leading || options.laterSystemMessages === "system") messages.push({ role: "system", content: text });
  else messages.push(say(`<system>\n${text}\n</system>`));
}
