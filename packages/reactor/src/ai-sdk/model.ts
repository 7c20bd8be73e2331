import { HebraError } from "@hebra/core";
import type { LanguageModel } from "ai";
import { fromV4, type ModelV4 } from "./specification-v4.ts";
import type { Model } from "./specification.ts";

type AiSdk = Pick<typeof import("ai"), "gateway" | "wrapProvider">;
type ModelV2 = Extract<LanguageModel, { specificationVersion: "v2" }>;
type ProviderV2 = Exclude<Parameters<AiSdk["wrapProvider"]>[0]["provider"], { specificationVersion: "v3" }>;

/** A model of any specification that can be asked, or an id for the AI SDK's global provider. */
export type AnyModel = LanguageModel | ModelV4;

/** Versions of the AI SDK's model specification: v2 is that of the AI SDK 5, v3 of 6 and v4 of 7. */
const versions = ["v2", "v3", "v4"];

/** The AI SDK warns whenever it adapts a model: once is enough. */
const adapted = new WeakMap<ModelV2, Model>();

/**
 * Checks that the AI SDK can call this model: an id for its global provider, or an instance of a known specification.
 *
 * @throws HebraError `MODEL_UNSUPPORTED`
 */
export function assertModel(model: unknown): asserts model is AnyModel {
  if (typeof model === "string" && model !== "") return;
  if (typeof model === "object" && model !== null) {
    const { specificationVersion, provider, modelId } = model as Record<string, unknown>;
    if (versions.includes(specificationVersion as string)) return;
    const what = typeof modelId === "string" ? ` ${String(provider)} ${modelId}` : "";
    const found =
      specificationVersion === undefined
        ? "has no `specificationVersion`"
        : `has the specification version ${String(specificationVersion)}`;
    throw unsupported(
      `The model${what} ${found}; versions v2, v3 and v4 are supported. Use a provider package made for ai 6 or 7.`,
    );
  }
  if (model === undefined)
    throw unsupported("No model is set. Set `model` on the thread's definition or on aiSdkReactor().");
  throw unsupported(
    `A model is an id or an instance of a provider's model, not ${model === "" ? "an empty string" : `a ${typeof model}`}. To choose one for each step use \`selectModel\`.`,
  );
}

/**
 * The model to call: of an id the global provider's. All are asked as models of the specification v3: those of v2 are
 * adapted by the AI SDK, those of v4 here.
 */
export function callable(ai: AiSdk, model: AnyModel): Model {
  const instance: AnyModel =
    typeof model === "string" ? (globalThis.AI_SDK_DEFAULT_PROVIDER ?? ai.gateway).languageModel(model) : model;
  assertModel(instance);
  if (typeof instance === "string") throw unsupported("The global provider gives an id where it should give a model.");
  switch (instance.specificationVersion) {
    case "v2":
      return adapt(ai, instance);
    case "v3":
      return instance;
    case "v4":
      return fromV4(instance);
  }
}

/** The AI SDK adapts models of providers only: so this one gets a provider. */
function adapt({ wrapProvider }: AiSdk, model: ModelV2): Model {
  let face = adapted.get(model);
  if (face === undefined) {
    const provider = { languageModel: () => model } as unknown as ProviderV2;
    const wrapped: Model | ModelV4 = wrapProvider({ provider, languageModelMiddleware: [] }).languageModel(
      model.modelId,
    );
    // The AI SDK 7 makes it a model of its own specification.
    face = wrapped.specificationVersion === "v3" ? wrapped : fromV4(wrapped);
    adapted.set(model, face);
  }
  return face;
}

/** The provider of an instance, for telemetry and for what must not be shown to another provider. */
export function providerOf(model: AnyModel): string | undefined {
  return typeof model === "string" ? undefined : model.provider;
}

function unsupported(message: string): HebraError {
  return new HebraError("MODEL_UNSUPPORTED", message, { details: { supported: versions } });
}
