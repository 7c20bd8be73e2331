import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "./canonical-json.ts";
import { createRedactor } from "./redact.ts";
import { errorSignature } from "./signature.ts";

const SEED = 20261121;
const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".split("");
const drawn = (length: number) =>
  fc.array(fc.constantFrom(...alphanumeric), { minLength: length, maxLength: length }).map((chars) => chars.join(""));

/** What must not survive, and a text that holds it in a shape which gives it away. */
interface Canary {
  core: string;
  text: string;
}
const shapes: readonly ((core: string) => string)[] = [
  (core) => `Bearer ${core}`,
  (core) => `password=${core}`,
  (core) => `{"apiKey":"${core}"}`,
  (core) => `{\\"client_secret\\":\\"${core}\\"}`,
  (core) => `sk-proj-${core}`,
  (core) => `ghp_${core}`,
  (core) => `eyJhbGciOiJIUzI1NiJ9.${core}.${core}`,
  (core) => `https://user:${core}@host.example/path`,
  (core) => `postgres://user:${core}/x@db/y`,
  (core) => `https://host.example/cb?state=${core}&code=${core}`,
  (core) => `Set-Cookie: sid=${core}; HttpOnly`,
  (core) => `-----BEGIN PRIVATE KEY-----\n${core}\n-----END PRIVATE KEY-----`,
  (core) => `${core}@mail.example.org`,
  (core) => `--token ${core}`,
];
const canary: fc.Arbitrary<Canary> = fc
  .tuple(drawn(24), fc.constantFrom(...shapes))
  .map(([core, shape]) => ({ core, text: shape(core) }));

/** Text that may stand before and after. Line breaks and blanks end values, so that no shape is spoilt. */
const filler = fc.constantFrom(
  "",
  " ",
  "\n",
  "turn completed ",
  "é😀 ",
  "a=1 ",
  '{"x":1} ',
  "user 42: ",
  "\t",
  "it's ",
  "5 < 6 ",
);
const around = fc.tuple(filler, filler);
const keyNames = fc.constantFrom(
  "id",
  "status",
  "message",
  "error",
  "items",
  "payload",
  "note",
  "apiKey",
  "x-access-token",
  "data",
  "0",
  "7",
  "path",
  "truth",
  "__proto__",
  "constructor",
);

type Wrap = (inner: unknown, key: string) => unknown;
const wraps: readonly Wrap[] = [
  (inner, key) => Object.defineProperty({ a: 1 }, key, { value: inner, enumerable: true }),
  (inner) => [1, inner, "x"],
  (inner, key) =>
    new Map<unknown, unknown>([
      [key, inner],
      ["status", "ok"],
    ]),
  (inner) => new Set([inner, 2]),
  (inner) => new Error("failed", { cause: inner }),
  (inner) => Object.assign(new Error(typeof inner === "string" ? inner : "failed"), { code: "E_X", extra: inner }),
  (inner) => new AggregateError([inner], "many"),
  (inner, key) => Object.defineProperty({}, key, { get: () => inner, enumerable: true }),
  (inner, key) =>
    Object.assign(Object.create({ inherited: inner }) as object, { [key === "__proto__" ? "k" : key]: inner }),
  (inner) => (typeof inner === "string" ? { [inner]: true } : { inner }),
  (inner) => (typeof inner === "string" ? new Map([[inner, 1]]) : inner),
  (inner) => (typeof inner === "string" ? Buffer.from(inner) : inner),
  (inner) => (typeof inner === "string" ? new String(inner) : inner),
  (inner) => (typeof inner === "string" ? JSON.stringify({ message: inner, n: 1 }) : inner),
  (inner) => (typeof inner === "string" ? JSON.stringify(JSON.stringify({ message: inner })) : inner),
];
const nesting = fc.array(fc.tuple(fc.constantFrom(...wraps), keyNames), { minLength: 0, maxLength: 6 });
const bury = (value: unknown, layers: readonly (readonly [Wrap, string])[]) =>
  layers.reduce<unknown>((inner, [wrap, key]) => wrap(inner, key), value);

/** No eight characters in a row of a canary may be left: a piece of a secret is a leak too. */
function expectNone(out: string, core: string): void {
  for (let at = 0; at + 8 <= core.length; at++)
    if (out.includes(core.slice(at, at + 8)))
      throw new Error(`leaked ${core.slice(at, at + 8)} in ${out.slice(0, 2_000)}`);
}

describe("planted secrets never survive", () => {
  const { redact, redactText } = createRedactor({ maxDepth: 20 });

  test("of a known shape, anywhere in any structure", () => {
    fc.assert(
      fc.property(canary, around, nesting, ({ core, text }, [before, after], layers) => {
        const out = redact(bury(`${before}${text}\n${after}`, layers));
        expectNone(JSON.stringify(out), core);
        expect(() => canonicalJson(out)).not.toThrow();
      }),
      { seed: SEED, numRuns: 3_000 },
    );
  }, 30_000);

  test("of no shape at all, under any key that is not allowed", () => {
    const secretKeys = fc.constantFrom(
      "note",
      "apiKey",
      "nickname",
      "user_password",
      "x-auth-token",
      "rut",
      "payload",
      "anything",
      "Cookie",
    );
    const shapeless = fc
      .array(fc.constantFrom(..."abcdefghij klmnop".split("")), { minLength: 12, maxLength: 24 })
      .map((chars) => chars.join("").trim().padEnd(12, "q"));
    const containers = fc.array(
      fc.constantFrom<(inner: unknown) => unknown>(
        (i) => [i],
        (i) => new Set([i]),
        (i) => new Map([["note", i]]),
        (i) => ({ other: i }),
      ),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(
        shapeless,
        secretKeys,
        containers,
        nesting.map((layers) => layers.filter(([wrap]) => wraps.indexOf(wrap) < 5)),
        (secret, key, inner, layers) => {
          const value = { [key]: inner.reduce<unknown>((held, wrap) => wrap(held), secret) };
          expectNone(JSON.stringify(redact(bury(value, layers))), secret);
        },
      ),
      { seed: SEED, numRuns: 1_500 },
    );
  }, 30_000);

  test("in a text with several, and scrubbing twice changes nothing more", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(around, canary), { minLength: 1, maxLength: 5 }), (pieces) => {
        const text = pieces.map(([[before, after], { text: planted }]) => `${before}${planted}\n${after}`).join("");
        const clean = redactText(text);
        for (const [, { core }] of pieces) expectNone(clean, core);
        expect(redactText(clean)).toBe(clean);
      }),
      { seed: SEED, numRuns: 1_500 },
    );
  }, 30_000);

  test("nor in an error's signature", () => {
    fc.assert(
      fc.property(canary, around, fc.boolean(), ({ core, text }, [before, after], asCause) => {
        const message = `${before}${text}\n${after}`;
        const error = asCause
          ? new Error("outer", { cause: new TypeError(message) })
          : Object.assign(new Error(message), { code: text });
        expectNone(JSON.stringify(errorSignature(error, { component: "worker" })), core);
        expectNone(JSON.stringify(errorSignature({ note: text, message: undefined }, { component: "worker" })), core);
      }),
      { seed: SEED, numRuns: 1_500 },
    );
  }, 30_000);

  test("and any value at all gives JSON, without throwing", () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withBoxedValues: true,
          withDate: true,
          withMap: true,
          withNullPrototype: true,
          withObjectString: true,
          withSet: true,
          withSparseArray: true,
          withTypedArray: true,
          withUnicodeString: true,
        }),
        (value) => {
          expect(() => canonicalJson(redact(value))).not.toThrow();
          expect(errorSignature(value, { component: "x" }).fingerprint).toMatch(/^[0-9a-f]{64}$/);
        },
      ),
      { seed: SEED, numRuns: 500 },
    );
  }, 30_000);
});
