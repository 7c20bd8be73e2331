import type { ToolSet } from "ai";
import type { AiSdkReactorOptions } from "./options.ts";
import type { Model, ModelCall, ModelStream, ModelTool, StreamPart } from "./specification.ts";

type AiSdk = Pick<typeof import("ai"), "jsonSchema" | "Output" | "streamText">;

/**
 * Whether a call asks for what only `streamText` has: the AI SDK's telemetry, or its retries. It costs a step more than
 * a millisecond, so that other calls go without.
 */
export function needsStreamText({ telemetry, maxRetries = 0 }: AiSdkReactorOptions): boolean {
  return telemetry !== undefined || maxRetries > 0 || hasIntegrations();
}

/** The host's telemetry for all calls of the AI SDK. */
function hasIntegrations(): boolean {
  return (globalThis.AI_SDK_TELEMETRY_INTEGRATIONS?.length ?? 0) > 0;
}

/**
 * The model's stream, as it comes, of a call that `streamText` makes. What `streamText` makes of the stream is not
 * looked at,
 * but for the reason why the model could not be asked.
 */
export function askThroughStreamText(
  ai: AiSdk,
  model: Model,
  call: ModelCall,
  options: AiSdkReactorOptions,
): ModelStream {
  const seen: StreamPart[] = [];
  let answering = false;
  const watched: Model = {
    specificationVersion: "v3",
    provider: model.provider,
    modelId: model.modelId,
    supportedUrls: model.supportedUrls,
    doGenerate: (question) => model.doGenerate(question),
    async doStream(question) {
      const answer = await model.doStream(question);
      answering = true;
      return {
        ...answer,
        stream: answer.stream.pipeThrough(
          new TransformStream({ transform: (part, controller) => (seen.push(part), controller.enqueue(part)) }),
        ),
      };
    },
  };
  const { prompt, tools = [], toolChoice, responseFormat, includeRawChunks: _, ...settings } = call;
  const { fullStream } = ai.streamText({
    ...settings,
    ...given(prompt, options),
    model: watched,
    allowSystemInMessages: true,
    maxRetries: options.maxRetries ?? 0,
    // Errors come through the stream; without this the AI SDK prints them, prompt and all.
    onError: () => {},
    ...(tools.length === 0 || toolChoice === undefined
      ? {}
      : { tools: toToolSet(ai, tools), toolChoice: toolChoice.type === "tool" ? toolChoice : toolChoice.type }),
    // Text, as far as the AI SDK goes: `Output.object` would parse the whole text again for every piece of it.
    ...(responseFormat === undefined
      ? {}
      : { output: { ...ai.Output.text(), responseFormat: Promise.resolve(responseFormat) } }),
    ...(options.telemetry === undefined ? {} : { experimental_telemetry: options.telemetry }),
  });
  return fullStream.pipeThrough(
    new TransformStream({
      transform(part, controller) {
        if (part.type === "error" && !answering) controller.enqueue(part);
        for (const own of seen.splice(0)) controller.enqueue(own);
      },
      flush(controller) {
        for (const own of seen.splice(0)) controller.enqueue(own);
      },
    }),
  );
}

/**
 * The AI SDK checks the messages it starts from against schemas, whole: some milliseconds for a hundred, at every
 * question.
 * Ours are made by us; so the first stands for all there, and the step gets the others. A host's telemetry is to see
 * them all.
 */
function given(
  messages: ModelCall["prompt"],
  { telemetry }: AiSdkReactorOptions,
): { messages: ModelCall["prompt"]; prepareStep?: () => { messages: ModelCall["prompt"] } } {
  return messages.length < 2 || telemetry !== undefined || hasIntegrations()
    ? { messages }
    : { messages: messages.slice(0, 1), prepareStep: () => ({ messages }) };
}

/** None has an `execute`: the engine runs actions, the provider its own tools. */
function toToolSet({ jsonSchema }: AiSdk, tools: readonly ModelTool[]): ToolSet {
  return Object.fromEntries(
    tools.map(({ name, ...tool }) => [
      name,
      { ...tool, inputSchema: jsonSchema(tool.type === "function" ? tool.inputSchema : {}) } as ToolSet[string],
    ]),
  );
}
