import { hebraAttributes, genAi, type JsonObject, type TelemetryAttributes, type TraceCarrier } from "@hebra/core";
import { runIdOf } from "../engine/log-fields.ts";
import type { ExecutionRow } from "../store/rows.ts";

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The trace in an execution's correlation. A `trace` of the host's own that is none is left alone. */
export function traceOf(correlation: JsonObject): TraceCarrier | undefined {
  const { trace } = correlation;
  if (typeof trace !== "object" || trace === null || Array.isArray(trace)) return undefined;
  const { traceparent, tracestate } = trace;
  if (typeof traceparent !== "string" || !TRACEPARENT.test(traceparent)) return undefined;
  return { traceparent, ...(typeof tracestate === "string" ? { tracestate } : {}) };
}

/** A correlation with a trace in it. Baggage and what else a propagator writes is not kept: it may be about people. */
export function withTrace(correlation: JsonObject, { traceparent, tracestate }: TraceCarrier): JsonObject {
  if (traceparent === undefined || ("trace" in correlation && traceOf(correlation) === undefined)) return correlation;
  return { ...correlation, trace: { traceparent, ...(tracestate === undefined ? {} : { tracestate }) } };
}

/** What every span of a turn says of where it belongs. */
export function placeOf(tenant: string, execution: ExecutionRow): TelemetryAttributes {
  return {
    [genAi.conversationId]: execution.threadId,
    [genAi.agentName]: execution.definition,
    [hebraAttributes.tenant]: tenant,
    [hebraAttributes.contextId]: execution.contextId,
    [hebraAttributes.executionId]: execution.id,
    [hebraAttributes.runId]: runIdOf(execution),
    [hebraAttributes.definition]: execution.definition,
    [hebraAttributes.definitionVersion]: execution.definitionVersion,
  };
}

/**
 * How the AI SDK's packages call a provider, by the beginning of the name, and how the conventions do. The first that
 * fits.
 */
const providers: readonly (readonly [string, string])[] = [
  ["amazon-bedrock", "aws.bedrock"],
  ["azure", "azure.ai.openai"],
  ["google.vertex", "gcp.vertex_ai"],
  ["google", "gcp.gemini"],
  ["mistral", "mistral_ai"],
  ["xai", "x_ai"],
  ["openai", "openai"],
  ["anthropic", "anthropic"],
  ["cohere", "cohere"],
  ["deepseek", "deepseek"],
  ["groq", "groq"],
  ["perplexity", "perplexity"],
];

/** The conventions' name of a provider, else its own. */
export function providerName(name: string): string {
  return providers.find(([start]) => name === start || name.startsWith(`${start}.`))?.[1] ?? name;
}

/** What a definition's `model` says of itself: an instance of the AI SDK, or an id such as `openai/gpt-5`. */
export function modelFacts(model: unknown): { provider?: string; model?: string } {
  if (typeof model === "string" && model !== "") {
    const slash = model.indexOf("/");
    return { model, ...(slash > 0 ? { provider: providerName(model.slice(0, slash)) } : {}) };
  }
  const { modelId, provider } = (typeof model === "object" && model !== null ? model : {}) as {
    modelId?: unknown;
    provider?: unknown;
  };
  return {
    ...(typeof modelId === "string" ? { model: modelId } : {}),
    ...(typeof provider === "string" ? { provider: providerName(provider) } : {}),
  };
}
