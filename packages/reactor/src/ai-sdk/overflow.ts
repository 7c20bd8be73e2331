/** What a provider says of a prompt that it refuses as too long. */
export interface Overflow {
  /** Tokens that it counted. */
  promptTokens?: number;
  /** Tokens that it takes. */
  maxTokens?: number;
}

/** Error codes that say it outright: OpenAI and those that are compatible with it, Anthropic's for large requests. */
const codes: ReadonlySet<string> = new Set(["context_length_exceeded", "request_too_large", "string_above_max_length"]);

/**
 * What the providers say where they have no code of their own for it. Numbers in the order of `counted`, `allowed`.
 *
 * - Anthropic: `prompt is too long: 208310 tokens > 200000 maximum`, `input length and max_tokens exceed context limit:
 *   188240 + 21333 > 200000`
 * - OpenAI: `This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens`,
 *   `Your input exceeds the context window of this model`
 * - Google: `The input token count (1050000) exceeds the maximum number of tokens allowed (1048576)`
 * - Bedrock: `Input is too long for requested model`
 * - xAI: `This model's maximum prompt length is 131072 but the request contains 537812 tokens`
 * - Mistral: `Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length`
 * - Groq, Together and others: `Please reduce the length of the messages or completion`
 */
const sayings: readonly { pattern: RegExp; counted?: number; allowed?: number }[] = [
  { pattern: /prompt is too long(?:: (\d+) tokens > (\d+) maximum)?/i, counted: 1, allowed: 2 },
  {
    pattern: /input length and `?max_tokens`? exceed context limit(?:: (\d+) \+ \d+ > (\d+))?/i,
    counted: 1,
    allowed: 2,
  },
  {
    pattern: /maximum context length is (\d+) tokens(?:[^]{0,80}?(?:resulted in|requested(?: about)?) (\d+) tokens)?/i,
    counted: 2,
    allowed: 1,
  },
  { pattern: /exceeds the (?:model's )?context window/i },
  {
    pattern: /input token count \(?(\d+)\)? exceeds the maximum number of tokens allowed \(?(\d+)/i,
    counted: 1,
    allowed: 2,
  },
  { pattern: /input is too long for (?:the )?requested model/i },
  { pattern: /maximum prompt length is (\d+) but the request contains (\d+) tokens/i, counted: 2, allowed: 1 },
  { pattern: /prompt contains (\d+) tokens[^]{0,60}?too large for model with (\d+)/i, counted: 1, allowed: 2 },
  { pattern: /reduce the length of the (?:messages|prompt|input)/i },
];

/** A refusal of a whole request; without a status the error came inside the stream. */
const statuses: ReadonlySet<number | undefined> = new Set([undefined, 400, 413, 422]);

/** Whether a provider refused a prompt as too long, and what it says of it. */
export function overflowOf(error: unknown, status: number | undefined): Overflow | undefined {
  if (!statuses.has(status)) return undefined;
  for (const text of textsOf(error)) {
    if (codes.has(text)) return numbersIn(textsOf(error));
    if (sayings.some(({ pattern }) => pattern.test(text))) return numbersIn([text]);
  }
  return status === 413 ? {} : undefined;
}

function numbersIn(texts: readonly string[]): Overflow {
  for (const text of texts)
    for (const { pattern, counted = 0, allowed = 0 } of sayings) {
      const match = pattern.exec(text);
      const promptTokens = Number(match?.[counted || Infinity]);
      const maxTokens = Number(match?.[allowed || Infinity]);
      if (maxTokens > 0) return { maxTokens, ...(promptTokens > 0 ? { promptTokens } : {}) };
    }
  return {};
}

const MAX_TEXT = 4_000;

/** The message and the code of an error, of what the provider sent, and of what it was caused by. */
function textsOf(error: unknown, depth = 0): string[] {
  if (typeof error === "string") return [error.slice(0, MAX_TEXT)];
  if (typeof error !== "object" || error === null || depth > 3) return [];
  const { message, code, type, data, cause, responseBody, error: inner, response } = error as Record<string, unknown>;
  return [
    ...[code, type, message, responseBody]
      .filter((text) => typeof text === "string")
      .map((text) => text.slice(0, MAX_TEXT)),
    ...[data, inner, response, cause].flatMap((next) => (typeof next === "object" ? textsOf(next, depth + 1) : [])),
  ];
}
