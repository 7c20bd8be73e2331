export { toJsonSchema, validateAgainst, type Validation } from "./action-schema.ts";
export { assertEventOrder, checkEvents, validated } from "./check-events.ts";
export {
  answerRules,
  callRules,
  createEventOrder,
  partRules,
  type AnswerState,
  type CallState,
  type EventOrder,
  type EventOrderOptions,
  type OrderRule,
  type PartState,
} from "./event-order.ts";
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
export type {
  ActionChoice,
  ActionSpec,
  Reactor,
  ReactorDecision,
  ReactorIds,
  ReactorInput,
  ReactorLimits,
} from "./reactor.ts";
export {
  scriptedReactor,
  type ScriptedAction,
  type ScriptedReactorOptions,
  type ScriptedStep,
  type ScriptedStepSource,
} from "./scripted.ts";
export type {
  ActionPart,
  ModelOutputPart,
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
