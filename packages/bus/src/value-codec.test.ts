import assert from "node:assert/strict";
import { errorCode } from "@hebra/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEnvelopeCodec, ENVELOPE_VERSION, textOf, type Envelope } from "./envelope.ts";
import { createValueCodec } from "./value-codec.ts";

const seed = 20_261_128;
const sent = { enqueuedAt: 1, id: "m1", tenant: "t", session: "s", idempotencyKey: "m1", interrupt: false };
const codecs = (maxBytes: number) => {
  const texts = createEnvelopeCodec(maxBytes);
  return { texts, values: createValueCodec(texts, maxBytes) };
};
/**
 * What JSON can hold, and what it can hold only without: members that are `undefined`, -0, and a member called
 * `__proto__`.
 */
const payload = fc.letrec((tie) => ({
  value: fc.oneof(
    fc.constantFrom(null, true, 0, -0, "", "ä€😀", '\u0001\\"'),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "1")),
      fc.oneof(tie("value"), fc.constant(undefined)),
      { maxKeys: 4 },
    ),
  ),
})).value as fc.Arbitrary<never>;

describe("the codec of values", () => {
  it("gives out what text would have", () => {
    const { texts, values } = codecs(100_000);
    const traces = fc.constantFrom(
      undefined,
      { traceparent: "00-1-2-01" },
      { traceparent: "00-1-2-01", tracestate: "a=b" },
      { traceparent: 1 },
      { other: "x" },
    );
    fc.assert(
      fc.property(payload, traces, fc.constantFrom(undefined, 0, 1.5), (content, trace, seq) => {
        const envelope = {
          ...sent,
          payload: content,
          ...(trace !== undefined && { trace: trace as never }),
          ...(seq !== undefined && { seq }),
        };
        const kept = values.encode(envelope, ENVELOPE_VERSION);
        const text = texts.encode(envelope, ENVELOPE_VERSION);
        assert.deepStrictEqual(values.decode(kept), texts.decode(text));
        expect(textOf(kept)).toBe(text);
        assert.deepStrictEqual(values.decode(text), texts.decode(text));
      }),
      { seed, numRuns: 500 },
    );
  });

  it("refuses what text refuses, and at the same size", () => {
    const maxBytes = 400;
    const { texts, values } = codecs(maxBytes);
    const outcome = (encode: () => unknown) => {
      try {
        encode();
        return "kept";
      } catch (error) {
        return [errorCode(error), (error as Error).message];
      }
    };
    const filled = (unit: string) =>
      fc.integer({ min: 0, max: maxBytes }).map((length) => ({ text: unit.repeat(length) }));
    const refused = fc.constantFrom<unknown>(
      undefined,
      Number.NaN,
      () => 1,
      1n,
      new Date(0),
      new Map(),
      [undefined],
      { a: Symbol("b") },
      "\ud800",
    );
    fc.assert(
      fc.property(fc.oneof(filled("x"), filled("€"), filled("\u0001"), filled("\\"), refused), (content) => {
        const envelope = { ...sent, payload: content as never };
        expect(outcome(() => values.encode(envelope, ENVELOPE_VERSION))).toEqual(
          outcome(() => texts.encode(envelope, ENVELOPE_VERSION)),
        );
      }),
      { seed, numRuns: 500 },
    );
  });

  it("shares nothing with the publisher, and nothing between two deliveries", () => {
    const { values } = codecs(100_000);
    const given = { list: [{ n: 1 }] };
    const kept = values.encode({ ...sent, payload: given }, ENVELOPE_VERSION);
    given.list[0]!.n = 2;
    const read = () => (values.decode(kept) as { envelope: Envelope }).envelope;
    const first = read();
    expect(first.payload).toEqual({ list: [{ n: 1 }] });
    (first.payload as typeof given).list.push({ n: 3 });
    expect(read().payload).toEqual({ list: [{ n: 1 }] });
  });
});
