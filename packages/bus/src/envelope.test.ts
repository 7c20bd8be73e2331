import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { enqueuedAtOf } from "./raw-stats.ts";
import { createEnvelopeCodec, ENVELOPE_VERSION } from "./envelope.ts";

const codec = createEnvelopeCodec(100_000);
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const envelope = fc.record({
  enqueuedAt: fc.nat(),
  id: text,
  tenant: text,
  session: text,
  idempotencyKey: text,
  interrupt: fc.boolean(),
  payload: fc.jsonValue() as fc.Arbitrary<never>,
});

describe("the envelope", () => {
  it("comes back as it went in", () => {
    fc.assert(
      fc.property(envelope, (sent) => {
        const body = codec.encode(sent, ENVELOPE_VERSION);
        const decoded = codec.decode(body);
        expect(decoded).toEqual({
          kind: "envelope",
          envelope: { v: ENVELOPE_VERSION, ...(JSON.parse(JSON.stringify(sent)) as object) },
        });
        expect(enqueuedAtOf(body)).toBe(sent.enqueuedAt);
      }),
      { seed: 20_261_121 },
    );
  });

  it("never throws while decoding, whatever it is given", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) =>
        ["envelope", "newer", "invalid"].includes(codec.decode(body).kind),
      ),
      { seed: 20_261_121 },
    );
  });

  it("tells a newer version from a broken envelope", () => {
    expect(codec.decode('{"v":2,"anything":"goes"}')).toEqual({ kind: "newer", version: 2 });
    for (const body of [
      '{"v":0}',
      '{"v":"1"}',
      "[]",
      "null",
      '{"v":1}',
      '{"v":1,"enqueuedAt":1,"id":"a","tenant":"t","session":"s"}',
    ])
      expect(codec.decode(body).kind).toBe("invalid");
    const base = { v: 1, enqueuedAt: 1, id: "a", tenant: "t", session: "s", payload: 1 };
    for (const wrong of [
      { seq: 1.5 },
      { trace: {} },
      { trace: { traceparent: "x", more: 1 } },
      { interrupt: 1 },
      { idempotencyKey: 3 },
      { id: "" },
    ]) {
      expect(codec.decode(JSON.stringify({ ...base, ...wrong })).kind).toBe("invalid");
    }
    expect(createEnvelopeCodec(300).decode(JSON.stringify({ ...base, payload: "x".repeat(300) }))).toMatchObject({
      kind: "invalid",
    });
  });
});
