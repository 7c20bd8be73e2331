export { createAiSdkReactor, type CreateAiSdkReactorOptions } from "./call/ai-sdk-reactor.ts";
export {
  createStory,
  createThread,
  thread,
  type RegistrableThreadBuilder,
  type ThreadBuilder,
  type ThreadBuilderEntry,
  type ThreadConfig,
  type ThreadInstance,
} from "./call/builder.ts";
export {
  AGENT_CHANNEL,
  EMAIL_CHANNEL,
  INPUT_ITEM_TYPE,
  INPUT_TEXT_ITEM_TYPE,
  OUTPUT_ITEM_TYPE,
  OUTPUT_TEXT_ITEM_TYPE,
  SYSTEM_TEXT_ITEM_TYPE,
  WEB_CHANNEL,
} from "./call/items.ts";
export {
  createCodexThreadBuilder,
  DEFAULT_CODEX_TOOL_NAME,
  didCodexToolExecute,
  threadDomain,
  useThread,
} from "./call/not-carried.ts";
export {
  getThread,
  getThreadFactory,
  hasThread,
  listThreads,
  registerThread,
  type ThreadFactory,
  type ThreadKey,
} from "./call/registered-threads.ts";
export type { LegacyThreadStore as ThreadStore } from "./call/runtime.ts";
export {
  createScriptedReactor,
  type CreateScriptedReactorOptions,
  type ScriptedReactionPayload,
  type ScriptedReactorStep,
} from "./call/scripted-reactor.ts";
export { Thread } from "./call/thread.ts";
export { didToolExecute, extractToolCallsFromParts } from "./call/tool-calls.ts";
export type {
  ContextIdentifier,
  LegacyChunk,
  LegacyReactParams,
  LegacyThreadOptions as ThreadOptions,
  StoredContext,
  StoredThread,
  ThreadEnvironment,
  ThreadIdentifier,
  ThreadItem,
  ThreadModelInit,
  ThreadReactionLLM,
  ThreadReactionResult,
  ThreadReactionToolCall,
  ThreadReactor,
  ThreadReactorParams,
  ThreadReactParams,
  ThreadReactResult,
  ThreadShouldContinueArgs,
  ThreadStreamOptions,
  ThreadTool,
} from "./call/types.ts";
export {
  convertItemsToModelMessages,
  convertItemToModelMessages,
  convertModelMessageToItem,
  convertToUIMessage,
  createAssistantItemFromUIMessages,
  createUserItemFromUIMessages,
  type ResponseMessage,
} from "./call/ui-messages.ts";
export { legacyChunks, type LegacyChunkOptions } from "./stream/chunks.ts";
