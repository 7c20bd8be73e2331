import { errorMessage, HebraError, type Logger } from "@hebra/core";
import type { ActionSpec, TranscriptMessage } from "@hebra/reactor";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import { estimateFixed, estimateMessages } from "./estimate.ts";
import { capResults, fitMessages, type Fitted } from "./fit.ts";
import type { Shown } from "./transcript.ts";

/** A step's conversation, before it is made to fit. */
export interface Conversation {
  /** Earlier turns. */
  history: readonly Shown[];
  /** The running turn. */
  own: readonly Shown[];
}

/** What a prompt is made of. */
export interface PromptParts {
  definition: AnyThreadDefinition;
  conversation: Conversation;
  /** Why the model is asked once more, said after the conversation. */
  reask: TranscriptMessage | undefined;
  instructions: string | undefined;
  /** The step's actions, without and with the one that reads on. */
  specs: { own: readonly ActionSpec[]; withReadMore: readonly ActionSpec[] };
  services: unknown;
  signal: AbortSignal;
  logger: Logger;
  /** Kept for the turn, so that what was left out is summed up once. */
  summaries: SummaryCache;
  /** What a provider refused, so that the next prompt is shorter. */
  refused?: Refused | undefined;
}

/** A prompt that was too long. */
export interface Refused {
  /** Our estimate of it. */
  estimated: number;
  /** What the provider counted and allows, where it says so. */
  counted?: number | undefined;
  allowed?: number | undefined;
}

/** What was left out of prompts of a turn, in words. */
export interface SummaryCache {
  last?: { upToSeq: number; text: string };
}

/** A prompt's conversation. */
export interface Prompt {
  transcript: TranscriptMessage[];
  /** Whether `read_more` is among the step's actions. */
  readsMore: boolean;
  /** About how many tokens the whole prompt has. */
  estimated(): number;
}

const SHARE_AFTER_REFUSAL = 0.5;
/** Room for errors of the estimate, where the provider has said its limit. */
const SHARE_OF_LIMIT = 0.85;
const ROUNDS_OF_COUNTING = 6;
/** Kept free for the note that stands for what is left out. */
const NOTICE_TOKENS = 40;

/**
 * The conversation that a model is shown: long results with their beginning alone, and no more in all than the budget.
 *
 * @throws HebraError `PROMPT_TOO_LONG`
 */
export async function makePrompt(parts: PromptParts): Promise<Prompt> {
  const { definition, conversation, reask, instructions, specs, refused } = parts;
  const { prompt: budget } = definition;
  const history = capResults(conversation.history, budget);
  const own = capResults(conversation.own, budget);
  const capped = history.shortened || own.shortened;
  const limit = Math.min(budget.maxTokens, refused === undefined ? Infinity : afterRefusal(refused));
  const readsMore = capped || limit !== Infinity;
  const actions = readsMore ? specs.withReadMore : specs.own;
  const last = reask === undefined ? [] : [reask];
  const fixed = () => estimateFixed(instructions, actions) + estimateMessages(last);
  const whole = [...history.shown.map(messageOf), ...own.shown.map(messageOf), ...last];
  if (limit === Infinity)
    return {
      transcript: whole,
      readsMore,
      estimated: () => estimateFixed(instructions, actions) + estimateMessages(whole),
    };
  const before = fixed() + NOTICE_TOKENS;
  let room = limit - before;
  for (let round = 1; ; round++) {
    const fitted = fitMessages(history.shown, own.shown, room);
    const said = await summedUp(parts, fitted, room);
    const estimated = before + estimateMessages(said);
    const transcript = [...said, ...last];
    const counted = await budget.countTokens?.({ instructions, actions, transcript });
    if (counted === undefined || counted <= limit) return { transcript, readsMore, estimated: () => estimated };
    if (round === ROUNDS_OF_COUNTING) throw tooLong(counted, limit);
    room = Math.floor(((room - NOTICE_TOKENS) * limit) / counted) - NOTICE_TOKENS;
  }
}

function tooLong(tokens: number, maxTokens: number): HebraError {
  return new HebraError(
    "PROMPT_TOO_LONG",
    `The prompt has ${tokens} tokens, more than the ${maxTokens} that it may have, and cannot be made shorter.`,
    {
      details: { tokens, maxTokens },
    },
  );
}

function afterRefusal({ estimated, counted, allowed }: Refused): number {
  if (allowed === undefined) return Math.floor(estimated * SHARE_AFTER_REFUSAL);
  // Our estimate of what the provider would count as its limit.
  const scaled = counted === undefined ? allowed : (allowed * estimated) / counted;
  return Math.floor(Math.min(scaled, estimated) * SHARE_OF_LIMIT);
}

/** Puts a summary in the place of turns that are left out, where the definition makes summaries. */
async function summedUp(parts: PromptParts, fitted: Fitted, room: number): Promise<TranscriptMessage[]> {
  const { definition, services, signal, logger, summaries } = parts;
  const messages = fitted.shown.map(messageOf);
  const previous = fitted.shown.find(({ kind }) => kind === "summary");
  const covered = Math.max(previous?.coversSeq ?? 0, summaries.last?.upToSeq ?? 0);
  const fresh = fitted.dropped.filter(({ seq }) => seq > covered);
  if (definition.compaction === undefined || fitted.dropped.length === 0) return messages;
  if (fresh.length > 0)
    try {
      const text = await definition.compaction.summarize({
        previous: summaries.last?.text ?? textOf(previous),
        transcript: fresh.map(messageOf),
        services,
        signal,
      });
      summaries.last = { upToSeq: fresh.at(-1)!.seq, text: text.toWellFormed() };
    } catch (error) {
      signal.throwIfAborted();
      logger.warn("What is left out of a prompt could not be summed up.", { error: errorMessage(error) });
    }
  if (summaries.last === undefined) return messages;
  const summary: TranscriptMessage = {
    id: previous?.message.id ?? `summary-${fitted.dropped[0]!.message.id}`,
    role: "system",
    parts: [{ kind: "text", text: summaries.last.text }],
  };
  const rest = fitted.shown.filter(({ kind }) => kind !== "summary").map(messageOf);
  const result = [summary, ...rest];
  // A summary that does not fit beside the rest is left out: the references still lead to what it stands for.
  return estimateMessages(result) <= room + NOTICE_TOKENS ? result : messages;
}

const messageOf = ({ message }: Shown): TranscriptMessage => message;

function textOf(summary: Shown | undefined): string | undefined {
  return summary?.message.parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
}
