export {
  assertEventOrder,
  checkEvents,
  createEventOrder,
  scriptedReactor,
  toJsonSchema,
  validateAgainst,
  validated,
  type ActionChoice,
  type ActionPart,
  type ActionRequestEvent,
  type ActionResultEvent,
  type ActionSpec,
  type ApprovalRequestEvent,
  type DataPart,
  type EventOrder,
  type FilePart,
  type FinishEvent,
  type FinishReason,
  type PartDeltaEvent,
  type PartEndEvent,
  type PartEvent,
  type PartStartEvent,
  type Reactor,
  type ReactorEvent,
  type ReactorIds,
  type ReactorInput,
  type ReactorLimits,
  type ReasoningPart,
  type Role,
  type ScriptedAction,
  type ScriptedReactorOptions,
  type ScriptedStep,
  type ScriptedStepSource,
  type SessionEvent,
  type SourcePart,
  type TextPart,
  type TranscriptMessage,
  type TranscriptPart,
  type Usage,
  type UsageEvent,
} from "@hebra/reactor";
export { aiSdkReactor, type AiSdkReactorOptions } from "@hebra/reactor/ai-sdk";
export { defineAction, withState } from "../definition/define-action.ts";

// Deprecated: the names of the old engine, over the new one. See docs/guide/from-the-old-engine.md.
export { createAiSdkReactor, type CreateAiSdkReactorOptions } from "../legacy/call/ai-sdk-reactor.ts";
export { createScriptedReactor, type CreateScriptedReactorOptions, type ScriptedReactionPayload, type ScriptedReactorStep } from "../legacy/call/scripted-reactor.ts";
export type { ThreadReactionLLM, ThreadReactionResult, ThreadReactionToolCall, ThreadReactor, ThreadReactorParams } from "../legacy/call/types.ts";
