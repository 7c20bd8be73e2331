import { assertJson, type JsonObject, type JsonValue } from "@hebra/core";
import { checkEnvelope, type Envelope, type EnvelopeCodec } from "./envelope.ts";

/**
 * The codec for mailboxes that do not leave the process. It keeps a copy of the values: writing text and reading it
 * again
 * takes about eight times as long. It accepts, refuses and gives out the same as the codec of texts.
 */
export function createValueCodec(texts: EnvelopeCodec<string>, maxBytes: number): EnvelopeCodec {
  return {
    newest: texts.newest,
    encode(envelope, version) {
      assertJson(envelope.payload, "payload");
      const kept = keep(envelope, version);
      // Only what may be too large is written out and measured.
      const names =
        envelope.id.length + envelope.idempotencyKey.length + envelope.tenant.length + envelope.session.length;
      if (6 * names + HEAD + mostBytes(envelope.trace) + mostBytes(envelope.payload) > maxBytes)
        texts.encode(envelope, version);
      return kept;
    },
    decode(body) {
      if (typeof body === "string") return texts.decode(body);
      const checked = checkEnvelope(body, texts.newest);
      if (checked.kind !== "envelope") return checked;
      return { kind: "envelope", envelope: keep(body, body.v) };
    },
  };
}

/** More bytes than an envelope has without its strings, its trace and its payload. */
const HEAD = 300;

/** A copy of one's own. It is spelt out, as spreading takes several times as long. */
function keep(
  { enqueuedAt, id, tenant, session, idempotencyKey, interrupt, seq, trace, payload }: Omit<Envelope, "v">,
  v: number,
): Envelope {
  const kept = { v, enqueuedAt, id, tenant, session, idempotencyKey, interrupt, payload: copyJson(payload) };
  if (seq === undefined && trace === undefined) return kept;
  return { ...kept, ...(seq !== undefined && { seq }), ...(trace !== undefined && { trace: copyJson(trace) }) };
}

/** A deep copy of what JSON can hold: what writing and reading it again gives. */
function copyJson<Value>(value: Value): Value;
function copyJson(value: JsonValue): JsonValue {
  if (typeof value !== "object" || value === null) return value === 0 ? 0 : value; // JSON knows no -0
  if (Array.isArray(value)) return Array.from(value, copyJson);
  const copy: JsonObject = {};
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member === undefined) continue;
    if (key === "__proto__")
      Object.defineProperty(copy, key, {
        value: copyJson(member),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    else copy[key] = copyJson(member);
  }
  return copy;
}

/** More bytes than the value has as JSON, whatever its characters are. */
function mostBytes(value: unknown): number {
  if (typeof value === "string") return 6 * value.length + 2; // "\\u0000" is the longest form of a character
  if (typeof value !== "object" || value === null) return 25; // as many as a number has at most
  let sum = 2;
  for (const key in value) sum += 6 * key.length + 4 + mostBytes((value as Record<string, unknown>)[key]);
  return sum;
}
