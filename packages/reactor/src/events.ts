import type { JsonValue } from "@hebra/core";
import type { ProviderMetadata } from "./transcript.ts";

/** What one model answer cost. Counts that a provider does not report are left out, never guessed. */
export interface Usage {
  inputTokens?: number;
  outputTokens?: number;
  /** Part of `inputTokens` that came from the provider's cache. */
  cachedInputTokens?: number;
  /** Part of `outputTokens` spent on reasoning. */
  reasoningTokens?: number;
  /** In United States dollars. */
  costUsd?: number;
  provider?: string;
  model?: string;
}

/** Why a reactor stopped. */
export type FinishReason = "stop" | "actions" | "length" | "content-filter" | "other";

/** Opens a part. Its id is unique inside the step. */
export interface PartStartEvent {
  type: "part-start";
  partId: string;
  kind: "text" | "reasoning";
}

/** More of an open text or reasoning part. */
export interface PartDeltaEvent {
  type: "part-delta";
  partId: string;
  delta: string;
}

/** Closes a text or reasoning part. */
export interface PartEndEvent {
  type: "part-end";
  partId: string;
  providerMetadata?: ProviderMetadata;
}

/** A part that comes whole. */
export interface PartEvent {
  type: "part";
  partId: string;
  part:
    | { kind: "source"; id: string; url?: string; title?: string; providerMetadata?: ProviderMetadata }
    | { kind: "file"; mediaType: string; url: string; filename?: string; providerMetadata?: ProviderMetadata }
    | { kind: "data"; name: string; data: JsonValue; providerMetadata?: ProviderMetadata };
}

/** The model wants an action to run. The engine runs it, unless the reactor says that it runs it itself. */
export interface ActionRequestEvent {
  type: "action-request";
  /** Unique inside the execution. */
  callId: string;
  name: string;
  /** As the model gave it: not yet validated. Not an object when the model produced malformed JSON. */
  input: JsonValue;
  /** The reactor runs this action and will send its `action-result`. @defaultValue false */
  ownedByReactor?: boolean;
  providerMetadata?: ProviderMetadata;
}

/** What came of an action that the reactor ran itself. */
export interface ActionResultEvent {
  type: "action-result";
  callId: string;
  status: "succeeded" | "failed";
  output?: JsonValue;
  error?: string;
  /** Comes back with the result in later prompts: a result may be an item of its own at the provider. */
  providerMetadata?: ProviderMetadata;
}

/**
 * A reactor that runs its own actions asks for permission. The step ends after it; the answer comes with the next call,
 * in `decisions`.
 */
export interface ApprovalRequestEvent {
  type: "approval-request";
  callId: string;
  reason?: string;
}

/** Mandatory, once or more before `finish`; several are added up. */
export interface UsageEvent {
  type: "usage";
  usage: Usage;
}

/** The reactor's own memory of this thread, opaque to the engine, which keeps it and gives it back. */
export interface SessionEvent {
  type: "session";
  state: JsonValue;
}

/** The last event of every answer. `actions` when the engine has calls to run. */
export interface FinishEvent {
  type: "finish";
  reason: FinishReason;
}

/** One event of a reactor's answer. */
export type ReactorEvent =
  | PartStartEvent
  | PartDeltaEvent
  | PartEndEvent
  | PartEvent
  | ActionRequestEvent
  | ActionResultEvent
  | ApprovalRequestEvent
  | UsageEvent
  | SessionEvent
  | FinishEvent;
