export type {
  ActionRequestEvent,
  ActionResultEvent,
  ApprovalRequestEvent,
  FinishEvent,
  FinishReason,
  PartDeltaEvent,
  PartEndEvent,
  PartEvent,
  PartStartEvent,
  ReactorEvent,
  SessionEvent,
  Usage,
  UsageEvent,
} from "./events.ts";
export type { ActionChoice, ActionSpec, Reactor, ReactorIds, ReactorInput, ReactorLimits } from "./reactor.ts";
export type {
  ActionPart,
  DataPart,
  FilePart,
  ProviderMetadata,
  ReasoningPart,
  Role,
  SourcePart,
  TextPart,
  TranscriptMessage,
  TranscriptPart,
} from "./transcript.ts";
