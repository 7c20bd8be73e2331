import type { JsonObject } from "@hebra/core";
import type { Output, ToolChoice, ToolSet } from "ai";
import type { ActionChoice, ReactorInput } from "../reactor.ts";
import type { AiSdkReactorOptions } from "./options.ts";

type AiSdk = Pick<typeof import("ai"), "jsonSchema" | "tool">;
type ObjectOutput = ReturnType<typeof Output.text>;

const passedOn = ["temperature", "topP", "topK", "presencePenalty", "frequencyPenalty", "stopSequences", "seed", "providerOptions", "headers"] as const;

/** What every step hands to `streamText` unchanged. */
export function callSettings(options: AiSdkReactorOptions): Pick<AiSdkReactorOptions, (typeof passedOn)[number]> {
  return Object.fromEntries(passedOn.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]));
}

/** The step's actions and the provider's tools. None has an `execute`: the engine runs actions, the provider its own tools. */
export function toTools({ jsonSchema, tool }: AiSdk, input: ReactorInput, providerTools: AiSdkReactorOptions["providerTools"] = {}): ToolSet {
  const tools: ToolSet = {};
  for (const { name, description, inputSchema } of input.actions) tools[name] = tool({ description, inputSchema: jsonSchema(objectSchema(inputSchema)) });
  for (const [name, own] of Object.entries(providerTools)) {
    const { execute: _execute, needsApproval: _needsApproval, onInputStart: _start, onInputDelta: _delta, onInputAvailable: _available, ...rest } = own;
    tools[name] = rest as ToolSet[string];
  }
  return tools;
}

/** Providers want the type spelt out, also of a union of objects. */
function objectSchema(schema: JsonObject): JsonObject {
  return schema["type"] === undefined && schema["$ref"] === undefined ? { type: "object", ...schema } : schema;
}

/** The choice of actions as the AI SDK has it. */
export function toToolChoice(choice: ActionChoice): ToolChoice<ToolSet> {
  return typeof choice === "string" ? choice : { type: "tool", toolName: choice.action };
}

/**
 * Asks for JSON of a schema and passes the text on as it comes. `Output.object` would parse the whole text again for every
 * piece of it; the engine parses and validates once, at the end.
 */
export function jsonOutput(schema: JsonObject): ObjectOutput {
  return {
    name: "object",
    responseFormat: Promise.resolve({ type: "json", schema }),
    parseCompleteOutput: async ({ text }) => text,
    parsePartialOutput: async ({ text }) => ({ partial: text }),
    createElementStreamTransform: () => undefined,
  };
}
