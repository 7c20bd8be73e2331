import { HebraError } from "@hebra/core";
import type { ActionPart, TranscriptPart } from "@hebra/reactor";
import type { ResolvedPromptBudget } from "../../definition/prompt-budget.ts";
import { isKeptElsewhere, sizeKeptElsewhere } from "../blobs/spilled.ts";
import { estimateMessages, estimatePart } from "./estimate.ts";
import { beginning, outputText, READ_MORE } from "./references.ts";
import type { Shown } from "./transcript.ts";

/** Characters of a long result or text that are left of it when the prompt is over its budget. */
const STUB_CHARACTERS = 200;
/** A result of up to so many tokens is not shortened: it would save next to nothing. */
const WORTH_SHORTENING = 150;

/** A conversation that fits. */
export interface Fitted {
  shown: Shown[];
  /** Whole turns that are left out, oldest first. */
  dropped: Shown[];
  /** Something is not shown, or not whole: the model may want to read it. */
  shortened: boolean;
}

/** Shows of each result that is over the cap its beginning and a reference. */
export function capResults(shown: readonly Shown[], { maxResultCharacters }: ResolvedPromptBudget): Fitted {
  const capped = shown.map((one) => capMessage(one, maxResultCharacters));
  return { shown: capped, dropped: [], shortened: capped.some((one, i) => one !== shown[i]) };
}

/** Each step of a turn shows the same history. */
const known = new WeakMap<Shown, { cap: number; capped: Shown }>();

function capMessage(one: Shown, cap: number): Shown {
  const found = known.get(one);
  if (found?.cap === cap) return found.capped;
  const capped = mapParts(one, (part, reference) => (part.kind === "action" ? capResult(part, cap, reference) : part));
  known.set(one, { cap, capped });
  return capped;
}

function capResult(part: ActionPart, cap: number, reference: string | undefined): ActionPart {
  // What a provider ran itself has to come back as it was.
  if (part.ownedByReactor === true) return part;
  if (part.status === "failed") {
    const error = part.error ?? "";
    return error.length <= cap ? part : { ...part, error: beginning(error, cap, reference) };
  }
  if (part.modelOutput !== undefined) {
    const pieces = part.modelOutput;
    if (pieces.every((piece) => piece.type !== "text" || piece.text.length <= cap)) return part;
    return {
      ...part,
      modelOutput: pieces.map((piece) =>
        piece.type === "text" && piece.text.length > cap
          ? { type: "text", text: beginning(piece.text, cap, reference) }
          : piece,
      ),
    };
  }
  if (isKeptElsewhere(part.output)) {
    const { head } = part.output;
    const text = beginning(head, Math.min(head.length, cap), reference, sizeKeptElsewhere(part.output));
    return { ...part, modelOutput: [{ type: "text", text }] };
  }
  const text = outputText(part.output);
  if (text.length <= cap) return part;
  return { ...part, modelOutput: [{ type: "text", text: beginning(text, cap, reference) }] };
}

/**
 * Shortens a conversation to a number of tokens: long results first, oldest first, but for those of the newest step;
 * then
 * whole turns of the history are left out, oldest first; then the turn's own long texts and results are shortened.
 *
 * @param own - the messages of the running turn
 * @throws HebraError `PROMPT_TOO_LONG` when that is not enough
 */
export function fitMessages(history: readonly Shown[], own: readonly Shown[], maxTokens: number): Fitted {
  const work: Work = { history: [...history], own: [...own], dropped: [], over: 0 };
  work.over = estimateMessages([...history, ...own].map(({ message }) => message)) - maxTokens;
  if (work.over <= 0) return { shown: [...history, ...own], dropped: [], shortened: false };
  const newest = newestStep(own);
  shortenParts(work, work.history, (part) => part.kind === "action");
  shortenParts(work, work.own, (part) => part.kind === "action" && part.step !== newest);
  dropTurns(work);
  shortenParts(work, work.own, (part) => part.kind === "text" || part.kind === "action");
  if (work.over > 0)
    throw new HebraError(
      "PROMPT_TOO_LONG",
      `The prompt of this step has about ${Math.ceil(work.over + maxTokens)} tokens at the least, and ${Math.floor(maxTokens)} are left for it. Shorten the message, the instructions or the actions, or raise \`prompt.maxTokens\`.`,
      { details: { maxTokens: Math.floor(maxTokens) } },
    );
  return { shown: [...work.history, ...work.own], dropped: work.dropped, shortened: true };
}

interface Work {
  history: Shown[];
  own: Shown[];
  dropped: Shown[];
  /** Tokens that are still too many. */
  over: number;
}

function newestStep(own: readonly Shown[]): number | undefined {
  const steps = own.flatMap(({ message }) => (message.role === "assistant" ? message.parts : []));
  return steps.length === 0 ? undefined : Math.max(...steps.map(({ step }) => step ?? 0));
}

function shortenParts(work: Work, list: Shown[], may: (part: TranscriptPart) => boolean): void {
  for (let i = 0; i < list.length && work.over > 0; i++)
    list[i] = mapParts(list[i]!, (part, reference) => {
      if (work.over <= 0 || reference === undefined || !may(part)) return part;
      const tokens = estimatePart(part);
      if (tokens <= WORTH_SHORTENING) return part;
      const short = stub(part, reference);
      const saved = tokens - estimatePart(short);
      if (saved <= 0) return part;
      work.over -= saved;
      return short;
    });
}

/** A part of which no more is left than how it begins. */
function stub(part: TranscriptPart, reference: string): TranscriptPart {
  if (part.kind === "text") return { ...part, text: beginning(part.text, STUB_CHARACTERS, reference) };
  if (part.kind !== "action" || part.ownedByReactor === true) return part;
  if (part.status === "failed") return { ...part, error: beginning(part.error ?? "", STUB_CHARACTERS, reference) };
  const kept = part.output;
  const text = isKeptElsewhere(kept) ? kept.head : outputText(kept);
  const length = isKeptElsewhere(kept) ? sizeKeptElsewhere(kept) : text.length;
  return { ...part, modelOutput: [{ type: "text", text: beginning(text, STUB_CHARACTERS, reference, length) }] };
}

/** Leaves out whole turns: a call without its result, or a result without its call, is refused by providers. */
function dropTurns(work: Work): void {
  const kept = work.history.filter(({ kind }) => kind === "summary");
  const rest = work.history.filter(({ kind }) => kind !== "summary");
  while (work.over > 0 && rest.length > 0) {
    const { executionId } = rest[0]!;
    do {
      const next = rest.shift()!;
      work.dropped.push(next);
      work.over -= estimateMessages([next.message]);
    } while (executionId !== null && rest[0]?.executionId === executionId);
  }
  if (work.dropped.length > 0) kept.push(notice(work.dropped));
  work.history = [...kept, ...rest];
}

/** Stands in the place of turns that are left out. Its tokens are in the room that a caller keeps free. */
function notice(dropped: readonly Shown[]): Shown {
  const { message, seq } = dropped[0]!;
  const text = `[Earlier messages are not shown. ${READ_MORE} without a reference lists them.]`;
  return {
    message: { id: `before-${message.id}`, role: "system", parts: [{ kind: "text", text }] },
    references: [undefined],
    seq,
    kind: "note",
    executionId: null,
  };
}

function mapParts(one: Shown, map: (part: TranscriptPart, reference: string | undefined) => TranscriptPart): Shown {
  let changed = false;
  const parts = one.message.parts.map((part, i) => {
    const mapped = map(part, one.references[i]);
    changed ||= mapped !== part;
    return mapped;
  });
  return changed ? { ...one, message: { ...one.message, parts } } : one;
}
