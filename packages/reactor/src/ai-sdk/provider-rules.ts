import type { PromptContent, PromptMessage } from "./specification.ts";

type Content = PromptContent<"assistant">;
type AssistantPart = Content[number];
type Call = Extract<AssistantPart, { type: "tool-call" }>;
type Reasoning = Extract<AssistantPart, { type: "reasoning" }>;

/** What one provider refuses in an answer that it is shown again. */
interface ProviderRules {
  /** Matches the model's `provider`, e.g. `openai.responses`. */
  provider: RegExp;
  /** Whether the provider accepts this reasoning part, given what follows it in the same answer. */
  acceptsReasoning(part: Reasoning, following: readonly AssistantPart[]): boolean;
  /** Whether a blank text carries something that this provider wants back. */
  wantsBlankText(part: AssistantPart): boolean;
  /** The provider refuses a call that it ran itself without the result that it sent. */
  needsServerResults: boolean;
  /** Whether the provider takes back this call that it ran itself. @defaultValue all */
  takesServerCall?(call: Call, result: AssistantPart | undefined): boolean;
}

/**
 * One row a provider. A provider that is not listed gets what every provider accepts.
 *
 * - OpenAI Responses: a reasoning item must be followed by the item that it led to, else 400 "was provided without its
 *   required following item" (https://platform.openai.com/docs/guides/reasoning, "Keeping reasoning items in context").
 *   An answer that was cut off has no such item, with `store` as a reference and without it as encrypted content. What
 *   the provider ran is shown as a reference to its item too, by the call's id: there is none of a call that was not
 *   run, nor under the id that the AI SDK makes up for a question for approval; and no item may be referred to twice,
 *   as the call and the result of a tool search would without the metadata of the result.
 * - OpenAI Chat Completions: has no reasoning in a prompt.
 * - Anthropic, also on Vertex and Bedrock: thinking must carry its signature or redacted data
 *   (https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking, "Preserving thinking blocks"), and each
 *   `server_tool_use` its result block.
 * - Gemini: a thought signature may come with an empty text (https://ai.google.dev/gemini-api/docs/thought-signatures).
 */
const rules: readonly ProviderRules[] = [
  {
    provider: /\bresponses\b/,
    acceptsReasoning: (part, following) =>
      isOfOpenAi(part) && following.some((next) => next.type !== "reasoning" && isOfOpenAi(next)),
    wantsBlankText: isOfOpenAi,
    needsServerResults: true,
    takesServerCall: (call, result) =>
      /^[a-z]+_[0-9a-f]+$/.test(call.toolCallId) &&
      (itemOf(call) !== call.toolCallId || ![undefined, call.toolCallId].includes(itemOf(result))),
  },
  {
    provider: /^(openai|azure)\b.*\bchat\b/,
    acceptsReasoning: () => false,
    wantsBlankText: () => false,
    needsServerResults: false,
  },
  {
    provider: /anthropic|bedrock/,
    acceptsReasoning: (part) =>
      has(part, ["anthropic", "bedrock"], "signature") || has(part, ["anthropic", "bedrock"], "redactedData"),
    wantsBlankText: () => false,
    needsServerResults: true,
  },
  {
    provider: /google|vertex/,
    acceptsReasoning: () => true,
    wantsBlankText: (part) => has(part, ["google", "googleVertex", "vertex"], "thoughtSignature"),
    needsServerResults: false,
  },
];

const lenient: Omit<ProviderRules, "provider"> = {
  acceptsReasoning: () => true,
  wantsBlankText: ({ providerOptions }) => providerOptions !== undefined,
  needsServerResults: false,
};

/**
 * The one place where a prompt is fitted to its provider. Nothing is changed in the history: an answer that was
 * stopped, cut off, denied or made by another provider may hold parts that this provider refuses, and would then refuse
 * in every later turn.
 *
 * For every provider: text of white space alone and messages without content are left out, and so is an answer of which
 * only reasoning is left.
 *
 * @param provider - the model's `provider`; `undefined` for a model that is known by its id alone
 */
export function fitToProvider(messages: readonly PromptMessage[], provider: string | undefined): PromptMessage[] {
  const rule = rules.find((each) => provider !== undefined && each.provider.test(provider)) ?? lenient;
  return messages.flatMap((message): PromptMessage[] => {
    if (message.role === "user") {
      const content = message.content.filter((part) => !isBlank(part));
      return content.length === 0 ? [] : [{ ...message, content }];
    }
    if (message.role !== "assistant") return [message];
    const content = fitAnswer(message.content, rule);
    return content.every(({ type }) => type === "reasoning") ? [] : [{ ...message, content }];
  });
}

function fitAnswer(content: Content, rule: Omit<ProviderRules, "provider">): Content {
  const refused = rule.needsServerResults ? refusedServerCalls(content, rule) : new Set<string>();
  const kept = content.filter(
    (part) =>
      !((part.type === "tool-call" || part.type === "tool-result") && refused.has(part.toolCallId)) &&
      !(isBlank(part) && !rule.wantsBlankText(part)),
  );
  return kept.filter((part, index) => part.type !== "reasoning" || rule.acceptsReasoning(part, kept.slice(index + 1)));
}

/** Calls that the provider ran, of which it sent no result that it takes back, or which it does not know any more. */
function refusedServerCalls(content: Content, { takesServerCall }: Omit<ProviderRules, "provider">): Set<string> {
  const answered = new Map(
    content.flatMap((part) =>
      part.type === "tool-result" && part.output.type === "json" ? [[part.toolCallId, part] as const] : [],
    ),
  );
  return new Set(
    content.flatMap((part) =>
      part.type === "tool-call" &&
      part.providerExecuted === true &&
      (!answered.has(part.toolCallId) || takesServerCall?.(part, answered.get(part.toolCallId)) === false)
        ? [part.toolCallId]
        : [],
    ),
  );
}

function isBlank(part: { type: string; text?: unknown }): boolean {
  return part.type === "text" && typeof part.text === "string" && part.text.trim() === "";
}

function isOfOpenAi(part: AssistantPart): boolean {
  return (
    has(part, ["openai", "azure"], "itemId") ||
    (part.type === "reasoning" && has(part, ["openai", "azure"], "reasoningEncryptedContent"))
  );
}

/** The item at OpenAI that a part refers to. */
function itemOf(part: AssistantPart | undefined): string | undefined {
  const options = part?.providerOptions?.["openai"] ?? part?.providerOptions?.["azure"];
  const id = options?.["itemId"];
  return typeof id === "string" ? id : undefined;
}

function has({ providerOptions }: AssistantPart, names: readonly string[], member: string): boolean {
  return names.some((name) => providerOptions?.[name]?.[member] != null);
}
