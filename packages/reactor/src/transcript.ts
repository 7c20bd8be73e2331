import type { JsonObject, JsonValue } from "@hebra/core";

/** Who a message of the transcript is from. */
export type Role = "user" | "assistant" | "system";

/**
 * Opaque data of one model provider that must come back unchanged with the part it came with, e.g. reasoning
 * signatures.
 */
export type ProviderMetadata = JsonObject;

/** Words for people. */
export interface TextPart {
  kind: "text";
  text: string;
  /** Which iteration of the turn made it; parts of one step belong to one model answer. @defaultValue 0 */
  step?: number;
  providerMetadata?: ProviderMetadata;
}

/** What the model thought before it answered. */
export interface ReasoningPart {
  kind: "reasoning";
  text: string;
  step?: number;
  providerMetadata?: ProviderMetadata;
}

/** Where an answer comes from. */
export interface SourcePart {
  kind: "source";
  id: string;
  url?: string;
  title?: string;
  step?: number;
  providerMetadata?: ProviderMetadata;
}

/** A file, by reference: a URL, a `data:` URL, or a `blob:` reference of the host's blob port. */
export interface FilePart {
  kind: "file";
  /** IANA media type, e.g. `image/png`. */
  mediaType: string;
  url: string;
  filename?: string;
  step?: number;
  providerMetadata?: ProviderMetadata;
}

/** Structured data with a name of the application's choice. */
export interface DataPart {
  kind: "data";
  name: string;
  data: JsonValue;
  step?: number;
  providerMetadata?: ProviderMetadata;
}

/** A piece of what the model is shown of an action's result. */
export type ModelOutputPart =
  | { type: "text"; text: string }
  /** By reference, as {@link FilePart}: the reactor reads it where a file of a message is read. */
  | { type: "file"; mediaType: string; url: string; filename?: string };

/** A call of an action together with what came of it. In a transcript every call is settled. */
export interface ActionPart {
  kind: "action";
  callId: string;
  name: string;
  input: JsonValue;
  /** `failed` also stands for denied, cancelled, expired and interrupted calls; `error` says which. */
  status: "succeeded" | "failed";
  output?: JsonValue;
  /**
   * What the model is shown in place of `output`, e.g. a picture. Of a call that failed it is shown `error`.
   * @defaultValue `output`
   */
  modelOutput?: readonly ModelOutputPart[];
  /** For the model: what went wrong and, where known, what to do. */
  error?: string;
  /** The reactor ran it, not the engine. @defaultValue false */
  ownedByReactor?: boolean;
  /** What the model's provider sent with the result of a call that it ran itself. */
  resultMetadata?: ProviderMetadata;
  step?: number;
  providerMetadata?: ProviderMetadata;
}

/** One semantic unit of a message. */
export type TranscriptPart = TextPart | ReasoningPart | SourcePart | FilePart | DataPart | ActionPart;

/** One visible input or output of a conversation, with its parts in order. */
export interface TranscriptMessage {
  /** The item's id. */
  id: string;
  role: Role;
  parts: readonly TranscriptPart[];
}
