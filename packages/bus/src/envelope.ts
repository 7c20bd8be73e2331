import { assertJson, HebraError, type JsonValue } from "@hebra/core";
import type { TraceContext } from "./trace-context.ts";

/** The newest version of the envelope that this code reads and writes. */
export const ENVELOPE_VERSION = 1;

/** A message as it lies in a mailbox, decoded. */
export interface Envelope {
  readonly v: number;
  /** When it was published, by the publisher's clock, in milliseconds since the epoch. */
  readonly enqueuedAt: number;
  readonly id: string;
  readonly tenant: string;
  readonly session: string;
  readonly idempotencyKey: string;
  readonly interrupt: boolean;
  readonly seq?: number;
  readonly trace?: TraceContext;
  readonly payload: JsonValue;
}

/**
 * An envelope as a mailbox holds it: text, or, where it does not leave the process, values that nobody else has and
 * nobody changes.
 */
export type Body = string | Envelope;

/** What decoding can find. */
export type Decoded =
  | { readonly kind: "envelope"; readonly envelope: Envelope }
  | { readonly kind: "newer"; readonly version: number }
  | { readonly kind: "invalid"; readonly problem: string };

/** Writes envelopes of one version and reads all up to another. */
export interface EnvelopeCodec<Written extends Body = Body> {
  /** The newest version it reads. */
  readonly newest: number;
  /** @throws HebraError `NOT_SERIALIZABLE`, `ENVELOPE_TOO_LARGE` */
  encode(envelope: Omit<Envelope, "v">, version: number): Written;
  decode(body: Written): Decoded;
}

/** An envelope as text, whatever a mailbox holds it as. */
export function textOf(body: Body): string {
  return typeof body === "string" ? body : write(body, body.v);
}

/**
 * `enqueuedAt` comes first, so that the age of a mailbox can be read off its first bytes; absent members are left out,
 * to keep envelopes small.
 */
function write(envelope: Omit<Envelope, "v">, version: number): string {
  return JSON.stringify({
    v: version,
    enqueuedAt: envelope.enqueuedAt,
    id: envelope.id,
    tenant: envelope.tenant,
    session: envelope.session,
    idempotencyKey: envelope.idempotencyKey === envelope.id ? undefined : envelope.idempotencyKey,
    interrupt: envelope.interrupt ? true : undefined,
    seq: envelope.seq,
    trace: envelope.trace,
    payload: envelope.payload,
  });
}

/**
 * The codec that writes text.
 *
 * @param newest - the newest version to read; a test of rolling deploys pretends with it to be an older or newer
 * release.
 */
export function createEnvelopeCodec(maxBytes: number, newest = ENVELOPE_VERSION): EnvelopeCodec<string> {
  return {
    newest,
    encode(envelope, version) {
      assertJson(envelope.payload, "payload");
      const text = write(envelope, version);
      const bytes = text.length * 3 <= maxBytes ? 0 : Buffer.byteLength(text);
      if (bytes > maxBytes) {
        throw new HebraError(
          "ENVELOPE_TOO_LARGE",
          `The message ${envelope.id} takes ${bytes} bytes; the bus accepts ${maxBytes}. Pass large content by reference, or raise \`maxMessageBytes\`.`,
          {
            details: { id: envelope.id, bytes, maxBytes },
          },
        );
      }
      return text;
    },
    decode(text) {
      if (text.length * 3 > maxBytes) {
        const bytes = Buffer.byteLength(text);
        if (bytes > maxBytes) return { kind: "invalid", problem: `it takes ${bytes} bytes, more than ${maxBytes}` };
      }
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        return { kind: "invalid", problem: "it is not JSON" };
      }
      return checkEnvelope(value, newest);
    },
  };
}

const known = new Set([
  "v",
  "enqueuedAt",
  "id",
  "tenant",
  "session",
  "idempotencyKey",
  "interrupt",
  "seq",
  "trace",
  "payload",
]);

/** Whether a value is an envelope that can be read. What may be absent is filled in. */
export function checkEnvelope(value: unknown, newest: number): Decoded {
  const invalid = (problem: string): Decoded => ({ kind: "invalid", problem });
  if (typeof value !== "object" || value === null || Array.isArray(value)) return invalid("it is not an object");
  const raw = value as Record<string, unknown>;
  if (!Number.isSafeInteger(raw["v"]) || (raw["v"] as number) < 1) return invalid("`v` is not a version");
  if ((raw["v"] as number) > newest) return { kind: "newer", version: raw["v"] as number };
  for (const key in raw)
    if (!known.has(key))
      return invalid(`it has a member \`${key.slice(0, 40)}\` that version ${String(raw["v"])} does not know`);
  for (const key of ["id", "tenant", "session"] as const) {
    if (typeof raw[key] !== "string" || raw[key] === "") return invalid(`\`${key}\` is not a string`);
  }
  if (!Number.isSafeInteger(raw["enqueuedAt"])) return invalid("`enqueuedAt` is not a time");
  if (raw["idempotencyKey"] !== undefined && typeof raw["idempotencyKey"] !== "string")
    return invalid("`idempotencyKey` is not a string");
  if (raw["interrupt"] !== undefined && typeof raw["interrupt"] !== "boolean")
    return invalid("`interrupt` is not a boolean");
  if (raw["seq"] !== undefined && !Number.isSafeInteger(raw["seq"])) return invalid("`seq` is not a whole number");
  if (raw["trace"] !== undefined && !isTrace(raw["trace"])) return invalid("`trace` is not a trace context");
  if (raw["payload"] === undefined) return invalid("`payload` is missing");
  raw["idempotencyKey"] ??= raw["id"];
  raw["interrupt"] ??= false;
  return { kind: "envelope", envelope: raw as unknown as Envelope };
}

function isTrace(value: unknown): value is TraceContext {
  if (typeof value !== "object" || value === null) return false;
  const { traceparent, tracestate, ...rest } = value as Record<string, unknown>;
  return (
    typeof traceparent === "string" &&
    (tracestate === undefined || typeof tracestate === "string") &&
    Object.keys(rest).length === 0
  );
}
