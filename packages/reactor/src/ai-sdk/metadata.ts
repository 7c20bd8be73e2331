import type { JsonObject, JsonValue } from "@hebra/core";
import type { ProviderMetadata } from "../transcript.ts";
import { wellFormedJson } from "../well-formed.ts";

/** Our own entry beside the providers': what the AI SDK must be told of a call that its provider ran. */
const OWN = "hebra";

/** Metadata by provider, as the AI SDK has it. */
export type AiSdkMetadata = Record<string, JsonObject>;

/** What a call in the transcript says of its provider. */
export interface ProviderRun {
  /** The provider that ran it. */
  provider: string;
}

/** Metadata of the AI SDK as metadata of a part. What is not plain JSON, e.g. `undefined`, is dropped. */
export function fromMetadata(metadata: unknown, run?: ProviderRun): { providerMetadata?: ProviderMetadata } {
  const known =
    metadata === undefined || metadata === null
      ? {}
      : (wellFormedJson(JSON.parse(JSON.stringify(metadata)) as JsonValue) as JsonObject);
  if (run !== undefined) known[OWN] = { provider: run.provider };
  return Object.keys(known).length === 0 ? {} : { providerMetadata: known };
}

/** Metadata of a part as options of a prompt's part. Entries that the AI SDK would refuse are left out. */
export function toOptions(metadata: ProviderMetadata | undefined): { providerOptions?: AiSdkMetadata } {
  if (metadata === undefined) return {};
  const entries = Object.entries(metadata).filter(
    (entry): entry is [string, JsonObject] => entry[0] !== OWN && isObject(entry[1]),
  );
  return entries.length === 0 ? {} : { providerOptions: Object.fromEntries(entries) };
}

/** Which provider ran the call, when one did. */
export function providerRun(metadata: ProviderMetadata | undefined): ProviderRun | undefined {
  const own = metadata?.[OWN];
  return isObject(own) && typeof own["provider"] === "string" ? { provider: own["provider"] } : undefined;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
