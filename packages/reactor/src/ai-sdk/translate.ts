import { HebraError, type JsonValue } from "@hebra/core";
import type { FinishReason, ReactorEvent, Usage, UsageEvent } from "../events.ts";
import { wellFormedJson } from "../well-formed.ts";
import { toSession, type WaitingCall } from "./approvals.ts";
import { cleanText, messageOf } from "./clean-error.ts";
import { createGrowingParts } from "./growing-parts.ts";
import { fromMetadata } from "./metadata.ts";
import type { StreamPart, StreamPartOf } from "./specification.ts";
import { parseToolInput } from "./tool-input.ts";

/** What the translation of one answer needs to know. */
export interface TranslatorOptions {
  /** An id for a call: the model's own where it is new in the execution. */
  callId(modelId: string): string;
  /** The provider that answers, to be remembered with the calls that it runs itself. */
  provider: string;
  /** Calls of earlier answers that the provider may run now. */
  allowed: readonly WaitingCall[];
  /** Whether the session still names calls that waited. */
  forgets: boolean;
  /** The model was told to call nothing, and fails when it calls something. */
  callsForbidden: boolean;
  /** @param modelId - what the provider says of the model that answered */
  usage(part: StreamPartOf<"finish">, modelId: string | undefined): Usage;
  /** Gets what the provider warns of. */
  warn(warnings: StreamPartOf<"stream-start">["warnings"]): void;
}

/** Translates a provider's stream of one model answer into events of `reactor-v1`. */
export interface Translator {
  /** @throws what the stream reports as an error */
  accept(part: StreamPart): ReactorEvent[];
  /** The last events. @throws HebraError `REACTOR_FAILED` when the stream ended without the model's own end */
  end(): ReactorEvent[];
}

/** @returns a translator for one answer */
export function createTranslator(options: TranslatorOptions): Translator {
  const allowed = new Set(options.allowed.map(({ toolCallId }) => toolCallId));
  const owned = new Map<string, Omit<WaitingCall, "approvalId" | "provider">>(
    options.allowed.map((call) => [call.toolCallId, call]),
  );
  const waiting: WaitingCall[] = [];
  let partCount = 0;
  let left = 0;
  let forbidden: string | undefined;
  let modelId: string | undefined;
  let usage: UsageEvent | undefined;
  let reason: FinishReason | undefined;
  let failure: HebraError | undefined;

  const nextPartId = () => `part-${partCount++}`;
  const growing = createGrowingParts(nextPartId);

  function request({
    toolCallId,
    toolName,
    input,
    providerExecuted,
    providerMetadata,
  }: StreamPartOf<"tool-call">): ReactorEvent[] {
    const name = toolName.toWellFormed();
    if (options.callsForbidden) {
      forbidden = name;
      return [];
    }
    const byProvider = providerExecuted === true;
    // The provider says the call again that it was allowed to run.
    if (byProvider && allowed.has(toolCallId)) return [];
    const callId = options.callId(toolCallId);
    const parsed = wellFormedJson(parseToolInput(input));
    if (byProvider) owned.set(toolCallId, { callId, name, toolCallId, input: parsed });
    else left++;
    const metadata = fromMetadata(providerMetadata, byProvider ? { provider: options.provider } : undefined);
    return [
      {
        type: "action-request",
        callId,
        name,
        input: parsed,
        ...(byProvider ? { ownedByReactor: true } : {}),
        ...metadata,
      },
    ];
  }

  /** Results of calls of earlier answers have no place here. */
  function settle(
    toolCallId: string,
    result: { output: unknown } | { error: unknown },
    providerMetadata?: unknown,
  ): ReactorEvent[] {
    const call = owned.get(toolCallId);
    if (call === undefined) return [];
    owned.delete(toolCallId);
    const metadata = fromMetadata(providerMetadata);
    if ("output" in result)
      return [
        {
          type: "action-result",
          callId: call.callId,
          status: "succeeded",
          output: wellFormedJson((result.output ?? null) as JsonValue),
          ...metadata,
        },
      ];
    return [
      { type: "action-result", callId: call.callId, status: "failed", error: errorText(result.error), ...metadata },
    ];
  }

  function askPerson({ toolCallId, approvalId }: StreamPartOf<"tool-approval-request">): ReactorEvent[] {
    const call = owned.get(toolCallId);
    if (call === undefined)
      throw new HebraError(
        "UNSUPPORTED",
        "The model's provider asks for approval of a call that it has not made. Turn the provider's own approvals off, or make it an action with `approval`.",
      );
    owned.delete(toolCallId);
    left++;
    waiting.push({ ...call, approvalId, provider: options.provider });
    return [{ type: "approval-request", callId: call.callId }];
  }

  function finish(part: StreamPartOf<"finish">): ReactorEvent[] {
    usage = { type: "usage", usage: options.usage(part, modelId) };
    const { unified, raw } = part.finishReason;
    if (forbidden !== undefined)
      failure = new HebraError("REACTOR_FAILED", `The model called ${forbidden}, though it was told to call nothing.`, {
        details: { error: "forbidden-call" },
      });
    else if (unified === "error")
      failure = new HebraError(
        "REACTOR_FAILED",
        `The model ended its answer with an error${raw === undefined ? "" : ` (${cleanText(raw)})`}.`,
      );
    // Anthropic pauses a long answer and wants to be asked once more.
    else reason = raw === "pause_turn" && left === 0 ? "other" : finishReason(unified, left);
    // A failed answer is paid for all the same.
    return failure === undefined ? [] : [usage];
  }

  return {
    accept(part) {
      switch (part.type) {
        case "text-start":
          return growing.begin("text", part);
        case "reasoning-start":
          return growing.begin("reasoning", part);
        case "text-delta":
          return growing.grow("text", part);
        case "reasoning-delta":
          return growing.grow("reasoning", part);
        case "text-end":
          return growing.end("text", part);
        case "reasoning-end":
          return growing.end("reasoning", part);
        case "source":
          return [
            {
              type: "part",
              partId: nextPartId(),
              part: {
                kind: "source",
                id: part.id.toWellFormed(),
                ...(part.sourceType === "url" ? { url: part.url.toWellFormed() } : {}),
                ...(part.title === undefined ? {} : { title: part.title.toWellFormed() }),
                ...fromMetadata(part.providerMetadata),
              },
            },
          ];
        case "file":
          return [
            {
              type: "part",
              partId: nextPartId(),
              part: {
                kind: "file",
                mediaType: part.mediaType,
                url: `data:${part.mediaType};base64,${base64(part.data)}`,
                ...fromMetadata(part.providerMetadata),
              },
            },
          ];
        case "tool-call":
          return request(part);
        case "tool-result":
          if (part.preliminary === true) return [];
          return settle(
            part.toolCallId,
            part.isError === true ? { error: part.result } : { output: part.result },
            part.providerMetadata,
          );
        case "tool-approval-request":
          return options.callsForbidden ? [] : askPerson(part);
        case "stream-start":
          options.warn(part.warnings);
          return [];
        case "response-metadata":
          modelId = part.modelId ?? modelId;
          return [];
        case "finish":
          return finish(part);
        case "error":
          throw part.error;
        default:
          return [];
      }
    },
    end() {
      if (failure !== undefined) throw failure;
      if (usage === undefined || reason === undefined)
        throw new HebraError("REACTOR_FAILED", "The model's stream broke off: it ended without the model's own end.", {
          details: { error: "incomplete-stream" },
        });
      const events = growing.endAll();
      for (const toolCallId of [...owned.keys()])
        events.push(...settle(toolCallId, { error: "The provider gave no result for this call." }));
      if (waiting.length > 0 || options.forgets) events.push({ type: "session", state: toSession(waiting) });
      return [...events, usage, { type: "finish", reason }];
    },
  };
}

type ModelFinishReason = StreamPartOf<"finish">["finishReason"]["unified"];

const reasons: Readonly<Partial<Record<ModelFinishReason, FinishReason>>> = {
  stop: "stop",
  "tool-calls": "actions",
  length: "length",
  "content-filter": "content-filter",
};

/** Providers are loose about the reason when there are calls, so that the calls decide between `stop` and `actions`. */
function finishReason(reason: ModelFinishReason, left: number): FinishReason {
  const known = reasons[reason] ?? "other";
  if (known === "length" || known === "content-filter") return known;
  if (left > 0) return "actions";
  return known === "actions" ? "stop" : known;
}

function base64(data: string | Uint8Array): string {
  return typeof data === "string" ? data : Buffer.from(data).toString("base64");
}

function errorText(error: unknown): string {
  if (typeof error === "string") return cleanText(error).toWellFormed();
  return cleanText(error instanceof Error ? messageOf(error) : (JSON.stringify(error) ?? "failed")).toWellFormed();
}
