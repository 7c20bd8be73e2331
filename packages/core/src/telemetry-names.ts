/**
 * Every name that Hebra's spans and metrics use, in one place.
 *
 * The `gen_ai.*` names follow the OpenTelemetry semantic conventions for generative AI: repository
 * `open-telemetry/semantic-conventions-genai`, spans as of commit `ac48b1f9df15fdf281b96cccf15eb707e1fc1868`
 * (`docs/gen-ai/client-inference.md`),
 * metrics as of commit `004902b8cb70aa5ae6ca4ae07132b7daabcd3e10` (`docs/gen-ai/gen-ai-metrics.md`): the names that
 * backends and dashboards
 * know. All of it has status Development, so what we emit changes only by an edit here. Nothing there covers
 * resumption, waiting or queues:
 * those names are our own, under `hebra.`.
 */

/** Values of `gen_ai.operation.name`. */
export const genAiOperations = {
  chat: "chat",
  invokeAgent: "invoke_agent",
  invokeWorkflow: "invoke_workflow",
  executeTool: "execute_tool",
} as const;

/** Attribute names of the GenAI conventions. */
export const genAi = {
  operationName: "gen_ai.operation.name",
  providerName: "gen_ai.provider.name",
  conversationId: "gen_ai.conversation.id",
  outputType: "gen_ai.output.type",
  agentName: "gen_ai.agent.name",
  agentDescription: "gen_ai.agent.description",
  workflowName: "gen_ai.workflow.name",
  requestModel: "gen_ai.request.model",
  requestStream: "gen_ai.request.stream",
  requestMaxTokens: "gen_ai.request.max_tokens",
  requestTemperature: "gen_ai.request.temperature",
  requestTopP: "gen_ai.request.top_p",
  requestTopK: "gen_ai.request.top_k",
  requestSeed: "gen_ai.request.seed",
  requestStopSequences: "gen_ai.request.stop_sequences",
  requestReasoningLevel: "gen_ai.request.reasoning.level",
  responseId: "gen_ai.response.id",
  responseModel: "gen_ai.response.model",
  responseFinishReasons: "gen_ai.response.finish_reasons",
  responseTimeToFirstChunk: "gen_ai.response.time_to_first_chunk",
  usageInputTokens: "gen_ai.usage.input_tokens",
  usageOutputTokens: "gen_ai.usage.output_tokens",
  usageCacheReadInputTokens: "gen_ai.usage.cache_read.input_tokens",
  usageCacheWriteInputTokens: "gen_ai.usage.cache_write.input_tokens",
  usageReasoningOutputTokens: "gen_ai.usage.reasoning.output_tokens",
  toolName: "gen_ai.tool.name",
  toolType: "gen_ai.tool.type",
  toolDescription: "gen_ai.tool.description",
  toolCallId: "gen_ai.tool.call.id",
  tokenType: "gen_ai.token.type",
  errorType: "error.type",
} as const;

/** Attributes that hold what was said. They are written where a host has asked for content, and nowhere else. */
export const genAiContent = {
  systemInstructions: "gen_ai.system_instructions",
  inputMessages: "gen_ai.input.messages",
  outputMessages: "gen_ai.output.messages",
  toolCallArguments: "gen_ai.tool.call.arguments",
  toolCallResult: "gen_ai.tool.call.result",
} as const;

/** Metric names of the GenAI conventions. Durations are seconds. */
export const genAiMetrics = {
  operationDuration: "gen_ai.client.operation.duration",
  tokenUsage: "gen_ai.client.token.usage",
  invokeAgentDuration: "gen_ai.invoke_agent.duration",
  executeToolDuration: "gen_ai.execute_tool.duration",
} as const;

/** Attributes of our own. The ids are for spans and logs only: as metric labels they would have no bound. */
export const hebraAttributes = {
  tenant: "hebra.tenant",
  contextId: "hebra.context.id",
  executionId: "hebra.execution.id",
  runId: "hebra.run.id",
  stepIndex: "hebra.step.index",
  session: "hebra.session",
  definition: "hebra.definition",
  definitionVersion: "hebra.definition.version",
  resumed: "hebra.resumed",
  attempt: "hebra.attempt",
  outcome: "hebra.outcome",
  reason: "hebra.outcome.reason",
  costUsd: "hebra.cost.usd",
  flagKey: "hebra.flag.key",
  flagVariant: "hebra.flag.variant",
} as const;
