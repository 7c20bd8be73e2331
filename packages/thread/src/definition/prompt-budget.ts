import { parseOptions } from "@hebra/core";
import type { ActionSpec, TranscriptMessage } from "@hebra/reactor";
import * as z from "zod";

/** What a model is asked with, as far as it costs tokens. */
export interface CountedPrompt {
  instructions: string | undefined;
  actions: readonly ActionSpec[];
  transcript: readonly TranscriptMessage[];
}

/**
 * How large a prompt may get. What is left out of it stays in the store, and the model can read it with `read_more`.
 */
export interface PromptBudget {
  /**
   * Tokens of one prompt: instructions, actions and conversation. Over it, long results are shortened first, oldest
   * first; then the oldest turns are left out, summed up where there is `compaction`.
   *
   * @defaultValue no limit of ours: a prompt that the provider refuses as too long is shortened and sent once more
   */
  maxTokens?: number;
  /**
   * Characters of one action's result, as JSON, that the model is shown; of a longer one it is shown the beginning and
   * a reference. What the model's provider ran itself is never shortened.
   *
   * @defaultValue 16 000
   */
  maxResultCharacters?: number;
  /** Counts a prompt's tokens exactly, e.g. with the provider's own counter. @defaultValue an estimate */
  countTokens?(prompt: CountedPrompt): number | Promise<number>;
}

/** A budget with its defaults filled in. */
export interface ResolvedPromptBudget {
  maxTokens: number;
  maxResultCharacters: number;
  countTokens: ((prompt: CountedPrompt) => number | Promise<number>) | undefined;
}

const DEFAULT_RESULT_CHARACTERS = 16_000;
/** Room for the shortened form: less would be longer than what it stands for. */
const MIN_RESULT_CHARACTERS = 500;

const schema = z.strictObject({
  maxTokens: z.int().positive().or(z.literal(Infinity)).default(Infinity),
  maxResultCharacters: z.int().min(MIN_RESULT_CHARACTERS).or(z.literal(Infinity)).default(DEFAULT_RESULT_CHARACTERS),
  countTokens: z.custom<() => number>((value) => typeof value === "function", "must be a function").optional(),
});

/** Fills in the defaults. @throws HebraError `INVALID_OPTIONS` */
export function resolvePromptBudget(budget: PromptBudget, where: string): ResolvedPromptBudget {
  const parsed = parseOptions(where, schema, budget);
  return { ...parsed, countTokens: budget.countTokens?.bind(budget) };
}
