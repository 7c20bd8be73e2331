import type { JsonObject } from "@hebra/core";
import type { ReactorInput } from "../reactor.ts";
import type { AiSdkReactorOptions } from "./options.ts";
import type { ModelCall, ModelTool, PromptMessage } from "./specification.ts";

type AiSdk = Pick<typeof import("ai"), "asSchema">;
type JsonSchema = Extract<ModelTool, { type: "function" }>["inputSchema"];

const passedOn = [
  "temperature",
  "topP",
  "topK",
  "presencePenalty",
  "frequencyPenalty",
  "stopSequences",
  "seed",
  "providerOptions",
  "headers",
] as const;

/** What the model is asked in one step, but for the prompt and the signal. Nothing that was not set is in it. */
export async function toModelCall(
  ai: AiSdk,
  options: AiSdkReactorOptions,
  input: ReactorInput,
): Promise<Omit<ModelCall, "prompt" | "abortSignal">> {
  const tools = await toTools(ai, input, options.providerTools);
  const maxOutputTokens = input.limits?.maxOutputTokens ?? options.maxOutputTokens;
  return {
    ...Object.fromEntries(passedOn.filter((key) => options[key] !== undefined).map((key) => [key, options[key]])),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(tools.length === 0 ? {} : { tools, toolChoice: toToolChoice(input.actionChoice ?? "auto") }),
    ...(input.outputSchema === undefined
      ? {}
      : { responseFormat: { type: "json", schema: input.outputSchema as JsonSchema } }),
    includeRawChunks: false,
  };
}

/** The instructions, then the conversation. */
export function withInstructions(instructions: string | undefined, messages: PromptMessage[]): PromptMessage[] {
  return instructions === undefined || instructions === ""
    ? messages
    : [{ role: "system", content: instructions }, ...messages];
}

/**
 * The step's actions and the provider's tools, which come first where both have a name: the engine runs actions, the
 * provider its own tools.
 */
async function toTools(
  { asSchema }: AiSdk,
  input: ReactorInput,
  providerTools: AiSdkReactorOptions["providerTools"] = {},
): Promise<ModelTool[]> {
  const tools = new Map<string, ModelTool>();
  for (const { name, description, inputSchema } of input.actions)
    tools.set(name, { type: "function", name, description, inputSchema: objectSchema(inputSchema) });
  for (const [name, own] of Object.entries(providerTools)) {
    if (own.type === "provider") {
      tools.set(name, { type: "provider", name, id: own.id, args: own.args });
      continue;
    }
    const { description, inputSchema, inputExamples, providerOptions, strict } = own;
    tools.set(name, {
      type: "function",
      name,
      inputSchema: await asSchema(inputSchema).jsonSchema,
      ...(description === undefined ? {} : { description }),
      ...(inputExamples === undefined ? {} : { inputExamples: inputExamples as { input: JsonObject }[] }),
      ...(providerOptions === undefined ? {} : { providerOptions }),
      ...(strict === undefined ? {} : { strict }),
    });
  }
  return [...tools.values()];
}

/** Providers want the type spelt out, also of a union of objects. */
function objectSchema(schema: JsonObject): JsonSchema {
  return (
    schema["type"] === undefined && schema["$ref"] === undefined ? { type: "object", ...schema } : schema
  ) as JsonSchema;
}

function toToolChoice(choice: NonNullable<ReactorInput["actionChoice"]>): NonNullable<ModelCall["toolChoice"]> {
  return typeof choice === "string" ? { type: choice } : { type: "tool", toolName: choice.action };
}
