export { createAiSdkReactor, type CreateAiSdkReactorOptions } from "./call/ai-sdk-reactor.ts";
export {
  createScriptedReactor,
  type CreateScriptedReactorOptions,
  type ScriptedReactionPayload,
  type ScriptedReactorStep,
} from "./call/scripted-reactor.ts";
export type {
  ThreadReactionLLM,
  ThreadReactionResult,
  ThreadReactionToolCall,
  ThreadReactor,
  ThreadReactorParams,
} from "./call/types.ts";
