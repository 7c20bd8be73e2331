import { deriveId, HebraError, type JsonValue } from "@hebra/core";
import {
  createEventOrder,
  type EventOrderOptions,
  type FinishReason,
  type ProviderMetadata,
  type Reactor,
  type ReactorEvent,
  type ReactorInput,
  type TranscriptPart,
  type Usage,
} from "@hebra/reactor";
import { storableLine, storableText, toStorable } from "../../definition/storable.ts";
import { addUsage, keptUsage } from "../rows/usage.ts";

/** What came of an action that a reactor ran itself. */
export interface OwnedResult {
  status: "succeeded" | "failed";
  output?: JsonValue;
  error?: string;
  resultMetadata?: ProviderMetadata;
}

/** A call that the model asked for, in the order of the answer's parts. */
export interface RequestedCall {
  callId: string;
  name: string;
  input: JsonValue;
  /** The reactor runs it. */
  owned: boolean;
  /** What came of it, when the reactor ran it in this answer. */
  result?: OwnedResult;
  /** The reactor asks a person before it runs it. */
  approval?: { reason?: string };
  providerMetadata?: ProviderMetadata;
}

/** A part of an answer: whole, still growing, or a call. */
export type AnswerPart =
  | { slot: number; partId: string; part: Exclude<TranscriptPart, { kind: "action" }> }
  | { slot: number; partId: string; call: RequestedCall };

/** An answer, as far as it has come. */
export interface Answer {
  parts: AnswerPart[];
  /** What came of calls of earlier steps that the reactor was allowed to run, by their ids. */
  results: Map<string, OwnedResult>;
  usage: Usage;
  session: JsonValue | undefined;
  finishReason: FinishReason | undefined;
}

/** A part that comes whole; a call has no result yet. */
export type WholePart =
  | Exclude<TranscriptPart, { kind: "action" | "text" | "reasoning" }>
  | { kind: "action"; callId: string; name: string; input: JsonValue; ownedByReactor?: true };

/** What is seen of an answer while it comes. `slot` is the part's place in the answer, from 0. */
export interface AnswerListener {
  /** @param whole - of a part that does not grow: what it holds. Of a call: its id, name and input. */
  started(slot: number, kind: TranscriptPart["kind"], whole?: WholePart): void;
  delta(slot: number, delta: string): void;
  ended(slot: number): void;
}

/** What one answer may hold. */
export interface AnswerLimits {
  /** @defaultValue 100 */
  calls: number;
  /** Texts, files and calls together. @defaultValue 2 000 */
  parts: number;
  /** Characters of all texts, inputs and results together. @defaultValue 8 000 000 */
  characters: number;
}

/** @throws HebraError `ANSWER_TOO_LARGE` */
function createMeter(limits: AnswerLimits): (event: ReactorEvent) => void {
  const used: AnswerLimits = { calls: 0, parts: 0, characters: 0 };
  return (event) => {
    if (event.type === "action-request") used.calls++;
    if (event.type === "action-request" || event.type === "part" || event.type === "part-start") used.parts++;
    used.characters += sizeOf(event);
    for (const what of ["calls", "parts", "characters"] as const) {
      if (used[what] <= limits[what]) continue;
      throw new HebraError(
        "ANSWER_TOO_LARGE",
        `An answer of the model holds more than ${limits[what]} ${what}. What came before is kept; no call of it runs.`,
        { details: { what, limit: limits[what] } },
      );
    }
  };
}

function sizeOf(event: ReactorEvent): number {
  switch (event.type) {
    case "part-delta":
      return event.delta.length;
    case "part":
      return lengthOf(event.part);
    case "action-request":
      return event.name.length + lengthOf(event.input);
    case "action-result":
      return lengthOf(event.output) + (event.error?.length ?? 0);
    default:
      return 0;
  }
}

/** The characters of the texts inside a value. */
function lengthOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 8;
  let length = 0;
  // A cycle is refused when the value is kept: what is counted here need not end there.
  const seen = new Set<object>();
  const open: unknown[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === "string") length += next.length;
    else if (typeof next !== "object" || next === null || seen.has(next)) length += 8;
    else {
      seen.add(next);
      for (const [key, member] of Object.entries(next)) {
        length += key.length;
        if (member !== undefined) open.push(member);
      }
    }
  }
  return length;
}

/** An answer of which nothing has come. */
export const emptyAnswer = (): Answer => ({
  parts: [],
  results: new Map(),
  usage: {},
  session: undefined,
  finishReason: undefined,
});

/**
 * Reads one answer into `answer`, which is filled as the events come, so that what there is of it can be kept when the
 * turn is cut off.
 *
 * @param earlier - calls of earlier steps of the execution: their ids may not come again. An `owned` one is to get its
 * result.
 * @throws HebraError `REACTOR_PROTOCOL` when events come out of order, `NOT_SERIALIZABLE` when one cannot be kept,
 * `ANSWER_TOO_LARGE`, and whatever the reactor throws.
 */
export async function readAnswer(
  reactor: Reactor,
  input: ReactorInput,
  earlier: EventOrderOptions["calls"] & {},
  answer: Answer,
  listener: AnswerListener,
  limits: AnswerLimits,
): Promise<void> {
  const meter = createMeter(limits);
  const order = createEventOrder({ calls: earlier });
  const open = new Map<string, { slot: number; part: { text: string; providerMetadata?: ProviderMetadata } }>();
  const calls = new Map<string, RequestedCall>();
  for await (const event of reactor.react(input)) {
    if (input.signal.aborted) throw new HebraError("ABORTED", "The turn was stopped.", { cause: input.signal.reason });
    order.accept(event);
    meter(event);
    accept(event, answer, open, calls, listener);
  }
  if (input.signal.aborted) throw new HebraError("ABORTED", "The turn was stopped.", { cause: input.signal.reason });
  order.end();
}

function accept(
  event: ReactorEvent,
  answer: Answer,
  open: Map<string, { slot: number; part: { text: string; providerMetadata?: ProviderMetadata } }>,
  calls: Map<string, RequestedCall>,
  listener: AnswerListener,
): void {
  const slot = answer.parts.length;
  switch (event.type) {
    case "part-start": {
      const part = { kind: event.kind, text: "" };
      answer.parts.push({ slot, partId: event.partId, part });
      open.set(event.partId, { slot, part });
      listener.started(slot, event.kind);
      return;
    }
    case "part-delta": {
      const growing = open.get(event.partId)!;
      growing.part.text += event.delta;
      listener.delta(growing.slot, event.delta);
      return;
    }
    case "part-end": {
      const growing = open.get(event.partId)!;
      open.delete(event.partId);
      if (event.providerMetadata !== undefined)
        growing.part.providerMetadata = plain(event.providerMetadata, "providerMetadata");
      listener.ended(growing.slot);
      return;
    }
    case "part": {
      const part = plain(event.part, "part");
      answer.parts.push({ slot, partId: event.partId, part });
      listener.started(slot, part.kind, part);
      listener.ended(slot);
      return;
    }
    case "action-request": {
      const callId = keptCallId(event.callId);
      const name = storableLine(event.name, MAX_NAME);
      const call: RequestedCall = {
        callId,
        name,
        input: plain(event.input, "input"),
        owned: event.ownedByReactor ?? false,
      };
      if (event.providerMetadata !== undefined)
        call.providerMetadata = plain(event.providerMetadata, "providerMetadata");
      calls.set(event.callId, call);
      answer.parts.push({ slot, partId: callId, call });
      const owned = call.owned ? { ownedByReactor: true as const } : {};
      listener.started(slot, "action", { kind: "action", callId, name, input: call.input, ...owned });
      return;
    }
    case "action-result": {
      const { status, output, error, providerMetadata } = event;
      const call = calls.get(event.callId);
      const result: OwnedResult = {
        status,
        ...(output === undefined ? {} : { output: plain(output, "output") }),
        ...(error === undefined ? {} : { error: storableText(error) }),
        ...(providerMetadata === undefined ? {} : { resultMetadata: plain(providerMetadata, "providerMetadata") }),
      };
      if (call === undefined) answer.results.set(keptCallId(event.callId), result);
      else call.result = result;
      return;
    }
    case "approval-request": {
      const call = calls.get(event.callId);
      if (call !== undefined) call.approval = event.reason === undefined ? {} : { reason: storableLine(event.reason) };
      return;
    }
    case "usage":
      answer.usage = addUsage(answer.usage, keptUsage(event.usage));
      return;
    case "session":
      answer.session = plain(event.state, "session");
      return;
    case "finish":
      answer.finishReason = storableLine(event.reason, MAX_NAME) as FinishReason;
  }
}

/** @throws HebraError `NOT_SERIALIZABLE` for a cycle */
function plain<T>(value: T, what: string): T {
  try {
    return toStorable(value).value as T;
  } catch (error) {
    throw new HebraError("NOT_SERIALIZABLE", `The reactor gave a value that cannot be kept: ${what}.`, {
      cause: error,
    });
  }
}

const MAX_NAME = 256;
const MAX_CALL_ID = 512;

/** The id under which a call is kept: its own, or one made of it where a store could not keep that. */
function keptCallId(callId: string): string {
  if (callId.length > 0 && callId.length <= MAX_CALL_ID && storableLine(callId) === callId) return callId;
  return `${storableLine(callId, 64)}~${deriveId("call-id", JSON.stringify(callId))}`;
}
