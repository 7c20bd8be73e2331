import type { LanguageModel } from "ai";

/** A model of the AI SDK's provider specification v3. Its types are read off here, since `ai` has no names for them. */
export type Model = Extract<LanguageModel, { specificationVersion: "v3" }>;

/** What a model is asked. */
export type ModelCall = Parameters<Model["doStream"]>[0];

/** One message of what a model is asked. */
export type PromptMessage = ModelCall["prompt"][number];

/** The parts of a message of one role. */
export type PromptContent<Role extends "user" | "assistant" | "tool"> = Extract<
  PromptMessage,
  { role: Role }
>["content"];

/** What became of a call, as the model is told. */
export type ToolResult = Extract<PromptContent<"tool">[number], { type: "tool-result" }>;

/** A tool that a model may call. */
export type ModelTool = NonNullable<ModelCall["tools"]>[number];

/** What a model streams. */
export type ModelStream = Awaited<ReturnType<Model["doStream"]>>["stream"];

/** One part of what a model streams. */
export type StreamPart = ModelStream extends ReadableStream<infer Part> ? Part : never;

/** A part of one type. */
export type StreamPartOf<Type extends StreamPart["type"]> = Extract<StreamPart, { type: Type }>;
