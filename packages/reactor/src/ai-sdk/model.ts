import { HebraError } from "@hebra/core";
import type { LanguageModel } from "ai";

/** Versions of the AI SDK's model specification that `ai` 6 can call. */
const versions = ["v2", "v3"];

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
    const found = specificationVersion === undefined ? "has no `specificationVersion`" : `has the specification version ${String(specificationVersion)}`;
    throw unsupported(`The model${what} ${found}; versions ${versions.join(" and ")} are supported. Use a provider package made for ai 6.`);
  }
  if (model === undefined) throw unsupported("No model is set. Set `model` on the thread's definition or on aiSdkReactor().");
  throw unsupported(`A model is an id or an instance of a provider's model, not ${model === "" ? "an empty string" : `a ${typeof model}`}. To choose one for each step use \`selectModel\`.`);
}

/** The provider of an instance, for telemetry and for what must not be shown to another provider. */
export function providerOf(model: LanguageModel): string | undefined {
  return typeof model === "string" ? undefined : model.provider;
}

function unsupported(message: string): HebraError {
  return new HebraError("MODEL_UNSUPPORTED", message, { details: { supported: versions } });
}
