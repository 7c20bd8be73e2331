import type { ActionSpec, FilePart, TranscriptMessage, TranscriptPart } from "@hebra/reactor";

const TOKENS_A_MESSAGE = 8;
const TOKENS_A_CALL = 30;
const TOKENS_A_PICTURE = 1_600;
const TOKENS_A_FILE = 3_000;

/** Classes of characters. Those up to DIGIT make words. */
const LOWER = 0;
const UPPER = 1;
const DIGIT = 2;
const SPACE = 3;
const NEWLINE = 4;
const MARK = 5;
const ACCENTED = 6;
const WIDE = 7;

/** Hundredths of a token that the first character of a run takes, and each further one. */
const first = [80, 80, 75, 5, 50, 85, 90, 120] as const;
const further = [14, 35, 34, 12, 10, 40, 80, 120] as const;
/** Where letters and digits change inside a word, as in ids, hashes and encoded bytes. */
const CHANGE_IN_WORD = 125;

const ascii = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (/[\t ]/.test(character)) return SPACE;
  if (/[\r\n]/.test(character)) return NEWLINE;
  if (/[a-z]/.test(character)) return LOWER;
  if (/[A-Z]/.test(character)) return UPPER;
  return /\d/.test(character) ? DIGIT : MARK;
});

/** What a pair of neighbours adds: `before * 8 + now`. */
const pairs = Uint8Array.from({ length: 64 }, (_, pair) => {
  const before = pair >> 3;
  const now = pair & 7;
  if (now === before) return further[now]!;
  return now <= DIGIT && before <= DIGIT ? CHANGE_IN_WORD : first[now]!;
});

/**
 * About how many tokens a text has: rather too many than too few. The weights are fitted to `o200k_base` and
 * `cl100k_base` over prose of several scripts, code, JSON, CSV, ids and encoded bytes.
 */
export function estimateTokens(text: string): number {
  let hundredths = 0;
  let before = SPACE;
  let isCapital = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const now = code < 128 ? ascii[code]! : code < 0x800 ? ACCENTED : WIDE;
    // A word may begin with a capital.
    hundredths += isCapital && now === LOWER ? further[LOWER] : pairs[(before << 3) | now]!;
    isCapital = now === UPPER && before > DIGIT;
    before = now;
  }
  return Math.ceil(hundredths / 100);
}

const known = new WeakMap<TranscriptPart, number>();

/** About how many tokens a part has in a prompt. */
export function estimatePart(part: TranscriptPart): number {
  let tokens = known.get(part);
  if (tokens === undefined) known.set(part, (tokens = measure(part)));
  return tokens;
}

function measure(part: TranscriptPart): number {
  const metadata = part.providerMetadata === undefined ? 0 : ofJson(part.providerMetadata);
  switch (part.kind) {
    case "text":
    case "reasoning":
      return estimateTokens(part.text) + metadata;
    case "file":
      return ofFile(part) + metadata;
    case "data":
      return ofJson({ name: part.name, data: part.data });
    case "source":
      return 0;
    case "action": {
      const shown = part.modelOutput?.map((piece) =>
        piece.type === "text" ? estimateTokens(piece.text) : ofFile(piece),
      );
      const result = part.status === "failed" ? ofJson(part.error) : (shown?.reduce(add, 0) ?? ofJson(part.output));
      return TOKENS_A_CALL + estimateTokens(part.name) + ofJson(part.input) + result + metadata;
    }
  }
}

function ofFile({ mediaType, url }: Pick<FilePart, "mediaType" | "url">): number {
  if (mediaType.startsWith("image/")) return TOKENS_A_PICTURE;
  if (mediaType.startsWith("text/") && url.startsWith("data:")) return Math.ceil(url.length / 3);
  return TOKENS_A_FILE;
}

const add = (sum: number, next: number) => sum + next;
const ofJson = (value: unknown) => (value === undefined ? 0 : estimateTokens(JSON.stringify(value)));

/** About how many tokens messages have in a prompt. */
export function estimateMessages(messages: readonly TranscriptMessage[]): number {
  return messages.reduce(
    (sum, { parts }) => parts.reduce((inner, part) => inner + estimatePart(part), sum + TOKENS_A_MESSAGE),
    0,
  );
}

/** About how many tokens come before the conversation. */
export function estimateFixed(instructions: string | undefined, actions: readonly ActionSpec[]): number {
  return estimateTokens(instructions ?? "") + actions.reduce((sum, spec) => sum + TOKENS_A_MESSAGE + ofJson(spec), 0);
}
