import fc from "fast-check";
import type { JsonValue } from "@hebra/core";
import type { Role, TranscriptMessage, TranscriptPart } from "../transcript.ts";

/** Any JSON. */
export const json = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>;
const metadata = fc.option(
  fc.dictionary(fc.constantFrom("openai", "anthropic", "hebra", "x"), fc.oneof(json, fc.constant({ itemId: "i" }))),
  { nil: undefined },
);
const common = { step: fc.option(fc.nat(2), { nil: undefined }), providerMetadata: metadata };
const callId = fc.oneof(fc.constantFrom("c-1", "c-2", ""), fc.string({ unit: "binary" }), fc.constant("\ud800"));
const part = fc.oneof(
  fc.record({ kind: fc.constant("text"), text: fc.string(), ...common }),
  fc.record({ kind: fc.constant("reasoning"), text: fc.string(), ...common }),
  fc.record({ kind: fc.constant("source"), id: fc.string(), ...common }),
  fc.record({
    kind: fc.constant("file"),
    mediaType: fc.constant("image/png"),
    url: fc.oneof(fc.webUrl(), fc.string(), fc.constant("data:image/png;base64,iVBORw0KGgo=")),
    ...common,
  }),
  fc.record({ kind: fc.constant("data"), name: fc.string(), data: json, ...common }),
  fc.record({
    kind: fc.constant("action"),
    callId,
    name: fc.constantFrom("find", "note"),
    input: json,
    status: fc.constantFrom("succeeded", "failed"),
    output: fc.option(json, { nil: undefined }),
    error: fc.option(fc.string(), { nil: undefined }),
    ...common,
  }),
) as fc.Arbitrary<TranscriptPart>;
/** Any transcript, also such as no engine would make. */
export const transcripts: fc.Arbitrary<TranscriptMessage[]> = fc.array(
  fc.record({
    id: fc.uuid(),
    role: fc.constantFrom<Role>("user", "assistant", "system"),
    parts: fc.array(part, { maxLength: 5 }),
  }),
  { maxLength: 6 },
);
