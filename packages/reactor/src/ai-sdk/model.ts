import { HebraError } from "@hebra/core";
import type { LanguageModel } from "ai";
import type { Model } from "./specification.ts";

type AiSdk = Pick<typeof import("ai"), "gateway" | "wrapProvider">;
type ModelV2 = Extract<LanguageModel, { specificationVersion: "v2" }>;
type ProviderV2 = Exclude<Parameters<AiSdk["wrapProvider"]>[0]["provider"], { specificationVersion: "v3" }>;

/** Versions of the AI SDK's model specification that `ai` 6 can call. */
const versions = ["v2", "v3"];

/** The AI SDK warns whenever it adapts a model: once is enough. */
const adapted = new WeakMap<ModelV2, Model>();

/**
 * Checks that the AI SDK can call this model: an id for its global provider, or an instance of a known specification.
 *
 * @throws HebraError `MODEL_UNSUPPORTED`
 */
export function assertModel(model: unknown): asserts model is LanguageModel {
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
      `The model${what} ${found}; versions ${versions.join(" and ")} are supported. Use a provider package made for ai 6.`,
    );
  }
  if (model === undefined)
    throw unsupported("No model is set. Set `model` on the thread's definition or on aiSdkReactor().");
  throw unsupported(
    `A model is an id or an instance of a provider's model, not ${model === "" ? "an empty string" : `a ${typeof model}`}. To choose one for each step use \`selectModel\`.`,
  );
}

/**
 * The model to call: of an id the global provider's, of an instance of the specification v2 the AI SDK's adaptation.
 */
export function callable(ai: AiSdk, model: LanguageModel): Model {
  const instance: LanguageModel =
    typeof model === "string" ? (globalThis.AI_SDK_DEFAULT_PROVIDER ?? ai.gateway).languageModel(model) : model;
  assertModel(instance);
  return typeof instance !== "string" && instance.specificationVersion === "v2"
    ? adapt(ai, instance)
    : (instance as Model);
}

/** The AI SDK adapts models of providers only: so this one gets a provider. */
function adapt({ wrapProvider }: AiSdk, model: ModelV2): Model {
  let face = adapted.get(model);
  if (face === undefined) {
    const provider = { languageModel: () => model } as unknown as ProviderV2;
    face = wrapProvider({ provider, languageModelMiddleware: [] }).languageModel(model.modelId);
    adapted.set(model, face);
  }
  return face;
}

/** The provider of an instance, for telemetry and for what must not be shown to another provider. */
export function providerOf(model: LanguageModel): string | undefined {
  return typeof model === "string" ? undefined : model.provider;
}

function unsupported(message: string): HebraError {
  return new HebraError("MODEL_UNSUPPORTED", message, { details: { supported: versions } });
}
