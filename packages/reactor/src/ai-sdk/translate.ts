import { HebraError, type JsonValue } from "@hebra/core";
import type { FinishReason as AiSdkFinishReason, TextStreamPart, ToolSet } from "ai";
import type { FinishReason, ReactorEvent, Usage, UsageEvent } from "../events.ts";
import { createTextMender, wellFormedJson, type TextMender } from "../well-formed.ts";
import { cleanText, messageOf } from "./clean-error.ts";
import { fromMetadata } from "./metadata.ts";

type StreamPart = TextStreamPart<ToolSet>;
type GrowingKind = "text" | "reasoning";

interface Growing {
  readonly kind: GrowingKind;
  readonly mender: TextMender;
  /** Given when the part has something in it: models open parts that stay empty. */
  partId?: string;
  metadata?: unknown;
}

/** What the translation of one answer needs to know. */
export interface TranslatorOptions {
  /** An id for a call: the model's own where it is new in the execution. */
  callId(modelId: string): string;
  /** The provider that answers, to be remembered with the calls that it runs itself. */
  provider: string;
  usage(part: Extract<StreamPart, { type: "finish-step" }>): Usage;
}

/** Translates the AI SDK's stream of one model answer into events of `reactor-v1`. */
export interface Translator {
  /** @throws what the stream reports as an error */
  accept(part: StreamPart): ReactorEvent[];
  /** The last events. @throws HebraError `REACTOR_FAILED` when the stream ended without the model's own end */
  end(): ReactorEvent[];
}

/** @returns a translator for one answer */
export function createTranslator(options: TranslatorOptions): Translator {
  const growing = new Map<string, Growing>();
  const owned = new Map<string, string>();
  let partCount = 0;
  let left = 0;
  let usage: UsageEvent | undefined;
  let reason: FinishReason | undefined;
  let failure: HebraError | undefined;

  const nextPartId = () => `part-${partCount++}`;

  function grow(kind: GrowingKind, id: string, piece: string, metadata: unknown): ReactorEvent[] {
    const part = growing.get(`${kind} ${id}`);
    if (part === undefined) return [];
    if (metadata !== undefined) part.metadata = metadata;
    return deltaOf(part, part.mender.push(piece));
  }

  function deltaOf(part: Growing, delta: string): ReactorEvent[] {
    if (delta === "") return [];
    return [...openingOf(part), { type: "part-delta", partId: part.partId!, delta }];
  }

  function openingOf(part: Growing): ReactorEvent[] {
    if (part.partId !== undefined) return [];
    part.partId = nextPartId();
    return [{ type: "part-start", partId: part.partId, kind: part.kind }];
  }

  function close(key: string, metadata: unknown): ReactorEvent[] {
    const part = growing.get(key);
    if (part === undefined) return [];
    growing.delete(key);
    const { providerMetadata } = fromMetadata(metadata ?? part.metadata);
    const events = deltaOf(part, part.mender.end());
    // An empty part is kept for its metadata alone: providers keep hidden reasoning there.
    if (part.partId === undefined && providerMetadata === undefined) return events;
    events.push(...openingOf(part));
    return [...events, { type: "part-end", partId: part.partId!, ...(providerMetadata === undefined ? {} : { providerMetadata }) }];
  }

  function request(part: Extract<StreamPart, { type: "tool-call" }>): ReactorEvent[] {
    const byProvider = part.providerExecuted === true;
    const callId = options.callId(part.toolCallId);
    if (byProvider) owned.set(part.toolCallId, callId);
    else left++;
    const metadata = fromMetadata(part.providerMetadata, byProvider ? { provider: options.provider } : undefined);
    return [{ type: "action-request", callId, name: part.toolName, input: toJson(part.input, {}), ...(byProvider ? { ownedByReactor: true } : {}), ...metadata }];
  }

  /** Results of calls of the engine never come; those of calls of earlier answers have no place here. */
  function settle(modelId: string, result: { output: unknown } | { error: unknown }): ReactorEvent[] {
    const callId = owned.get(modelId);
    if (callId === undefined) return [];
    owned.delete(modelId);
    if ("output" in result) return [{ type: "action-result", callId, status: "succeeded", output: toJson(result.output, null) }];
    return [{ type: "action-result", callId, status: "failed", error: errorText(result.error) }];
  }

  return {
    accept(part) {
      switch (part.type) {
        case "text-delta":
          return grow("text", part.id, part.text, part.providerMetadata);
        case "reasoning-delta":
          return grow("reasoning", part.id, part.text, part.providerMetadata);
        case "text-start":
        case "reasoning-start": {
          const kind = part.type === "text-start" ? "text" : "reasoning";
          const events = close(`${kind} ${part.id}`, undefined);
          growing.set(`${kind} ${part.id}`, { kind, mender: createTextMender(), metadata: part.providerMetadata });
          return events;
        }
        case "text-end":
          return close(`text ${part.id}`, part.providerMetadata);
        case "reasoning-end":
          return close(`reasoning ${part.id}`, part.providerMetadata);
        case "source":
          return [{ type: "part", partId: nextPartId(), part: { kind: "source", id: part.id, ...(part.sourceType === "url" ? { url: part.url } : {}), ...(part.title === undefined ? {} : { title: part.title }), ...fromMetadata(part.providerMetadata) } }];
        case "file":
          return [{ type: "part", partId: nextPartId(), part: { kind: "file", mediaType: part.file.mediaType, url: `data:${part.file.mediaType};base64,${part.file.base64}`, ...fromMetadata(part.providerMetadata) } }];
        case "tool-call":
          return request(part);
        case "tool-result":
          return part.preliminary === true ? [] : settle(part.toolCallId, { output: part.output });
        case "tool-error":
          return settle(part.toolCallId, { error: part.error });
        case "tool-approval-request":
          throw new HebraError("UNSUPPORTED", `The model's provider asks for approval before it runs ${part.toolCall.toolName}; aiSdkReactor cannot pass that on. Turn the provider's own approvals off, or make it an action with \`approval\`.`);
        case "finish-step":
          if (isCutOff(part)) throw new HebraError("REACTOR_FAILED", "The model's stream broke off: it ended without the model's own end.", { details: { error: "incomplete-stream" } });
          usage = { type: "usage", usage: options.usage(part) };
          if (part.finishReason !== "error") {
            reason = finishReason(part.finishReason, left);
            return [];
          }
          failure = new HebraError("REACTOR_FAILED", `The model ended its answer with an error${part.rawFinishReason === undefined ? "" : ` (${cleanText(part.rawFinishReason)})`}.`);
          // A failed answer is paid for all the same.
          return [usage];
        case "error":
          throw part.error;
        default:
          return [];
      }
    },
    end() {
      if (failure !== undefined) throw failure;
      if (usage === undefined || reason === undefined) throw new HebraError("REACTOR_FAILED", "The model's stream ended before the answer did.", { details: { error: "incomplete-stream" } });
      const events = Array.from(growing.keys(), (key) => close(key, undefined)).flat();
      for (const modelId of [...owned.keys()]) events.push(...settle(modelId, { error: "The provider gave no result for this call." }));
      return [...events, usage, { type: "finish", reason }];
    },
  };
}

/**
 * The AI SDK makes up an end when the provider's stream breaks off with content in it. The made-up one is told from a real
 * one by its usage, which lacks the members that every real one has, be they undefined.
 */
function isCutOff(part: Extract<StreamPart, { type: "finish-step" }>): boolean {
  return part.finishReason === "other" && part.rawFinishReason === undefined && !("cachedInputTokens" in part.usage);
}

const reasons: Readonly<Partial<Record<AiSdkFinishReason, FinishReason>>> = { stop: "stop", "tool-calls": "actions", length: "length", "content-filter": "content-filter" };

/** Providers are loose about the reason when there are calls, so that the calls decide between `stop` and `actions`. */
function finishReason(reason: AiSdkFinishReason, left: number): FinishReason {
  const known = reasons[reason] ?? "other";
  if (known === "length" || known === "content-filter") return known;
  if (left > 0) return "actions";
  return known === "actions" ? "stop" : known;
}

function toJson(value: unknown, missing: JsonValue): JsonValue {
  return value === undefined ? missing : wellFormedJson(value as JsonValue);
}

function errorText(error: unknown): string {
  if (typeof error === "string") return cleanText(error);
  return cleanText(error instanceof Error ? messageOf(error) : (JSON.stringify(error) ?? "failed"));
}
