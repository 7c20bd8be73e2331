import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assertJson, canonicalJson, digest } from "./canonical-json.ts";

/** RFC 8785, appendix B: the bits of a double, and its text. */
const NUMBERS: readonly (readonly [string, string])[] = [
  ["0000000000000000", "0"],
  ["8000000000000000", "0"],
  ["0000000000000001", "5e-324"],
  ["8000000000000001", "-5e-324"],
  ["7fefffffffffffff", "1.7976931348623157e+308"],
  ["ffefffffffffffff", "-1.7976931348623157e+308"],
  ["4340000000000000", "9007199254740992"],
  ["c340000000000000", "-9007199254740992"],
  ["4430000000000000", "295147905179352830000"],
  ["44b52d02c7e14af5", "9.999999999999997e+22"],
  ["44b52d02c7e14af6", "1e+23"],
  ["44b52d02c7e14af7", "1.0000000000000001e+23"],
  ["444b1ae4d6e2ef4e", "999999999999999700000"],
  ["444b1ae4d6e2ef4f", "999999999999999900000"],
  ["444b1ae4d6e2ef50", "1e+21"],
  ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
  ["3eb0c6f7a0b5ed8d", "0.000001"],
  ["41b3de4355555553", "333333333.3333332"],
  ["41b3de4355555554", "333333333.33333325"],
  ["41b3de4355555555", "333333333.3333333"],
  ["41b3de4355555556", "333333333.3333334"],
  ["41b3de4355555557", "333333333.33333343"],
  ["becbf647612f3696", "-0.0000033333333333333333"],
  ["43143ff3c1cb0959", "1424953923781206.2"],
];

const double = (bits: string): number => Buffer.from(bits, "hex").readDoubleBE();
const json = fc.jsonValue({ noUnicodeString: false, maxDepth: 5 });

/** The same document with every object's members in another order. */
function shuffled(value: unknown, random: () => number): unknown {
  if (Array.isArray(value)) return value.map((member) => shuffled(member, random));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => ({ key, member, at: random() }));
  const out: Record<string, unknown> = {};
  for (const { key, member } of members.sort((a, b) => a.at - b.at)) {
    Object.defineProperty(out, key, {
      value: shuffled(member, random),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return out;
}

describe("canonicalJson", () => {
  test.each(NUMBERS)("writes the number %s as RFC 8785 does: %s", (bits, text) => {
    expect(canonicalJson(double(bits))).toBe(text);
  });

  test.each(["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])("refuses the number %s", (bits) => {
    expect(() => canonicalJson([double(bits)])).toThrow(/\$\[0\] is (NaN|-?Infinity)/);
  });

  test("sorts by UTF-16 code units and escapes as RFC 8785's sample does", () => {
    const sample = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis",
    };
    expect(Object.keys(JSON.parse(canonicalJson(sample)) as object).sort()).toEqual([
      "\r",
      "1",
      "\u0080",
      "\u00f6",
      "\u20ac",
      "\ud83d\ude00",
      "\ufb33",
    ]);
    expect(canonicalJson(sample)).toMatch(/^\{"\\r":"Carriage Return","1":"One",/);
    expect(canonicalJson({ string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/" })).toBe(
      '{"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test("sorts number-like names as text, not as numbers", () => {
    expect(canonicalJson({ 10: "a", 9: "b", 1: "c" })).toBe('{"1":"c","10":"a","9":"b"}');
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [String(i), i]));
    const names = [...canonicalJson(many).matchAll(/"(\d+)":/g)].map((match) => match[1]!);
    expect(names).toEqual([...names].sort());
  });

  test("agrees with JSON.parse, and does not depend on the order of members", () => {
    fc.assert(
      fc.property(json, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (value, stream) => {
        const random = () => stream.next().value as number;
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(canonicalJson(shuffled(value, random))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(digest(value)).toBe(createHash("sha256").update(text).digest("hex"));
      }),
      { seed: 20261121, numRuns: 500 },
    );
  });

  test("leaves undefined members out, and takes objects without a prototype", () => {
    const bare = Object.assign(Object.create(null) as object, { b: undefined, a: -0 });
    expect(canonicalJson(bare)).toBe('{"a":0}');
    expect(canonicalJson({ ["__proto__"]: 1, a: JSON.parse('{"__proto__":2}') as object })).toBe(
      '{"__proto__":1,"a":{"__proto__":2}}',
    );
  });

  test.each([
    ["a date", { at: [new Date(0)] }, /\$\.at\[0\] is a Date object/],
    ["a map", { m: new Map() }, /\$\.m is a Map object/],
    ["a bigint", { n: 1n }, /\$\.n is a bigint/],
    ["a function", [() => 1], /\$\[0\] is a function/],
    ["a hole", Object.assign([1], { 2: 2 }), /\$\[1\] is undefined/],
    ["undefined", undefined, /\$ is undefined/],
    ["a lone surrogate", { s: "\ud800" }, /\$\.s is a string with a lone surrogate/],
    ["a lone surrogate in a name", { "a\udc00": 1 }, /a name with a lone surrogate/],
  ])("refuses %s and says where", (_what, value, message) => {
    expect(() => canonicalJson(value)).toThrow(message);
    expect(() => digest(value)).toThrow(expect.objectContaining({ code: "NOT_SERIALIZABLE" }));
    expect(() => assertJson(value)).toThrow(message);
  });

  test("refuses cycles and documents too deep for the stack, but not shared parts", () => {
    const cycle: Record<string, unknown> = { a: {} };
    (cycle["a"] as Record<string, unknown>)["b"] = cycle;
    expect(() => canonicalJson(cycle)).toThrow(/\$\.a\.b is part of a cycle/);
    expect(() => assertJson(cycle)).toThrow(/part of a cycle/);
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(() => canonicalJson(deep)).toThrow(/nested deeper than 1000 levels/);
    let allowed: unknown = 1;
    for (let i = 0; i < 1_000; i++) allowed = [allowed];
    expect(canonicalJson(allowed)).toHaveLength(2_001);
    const shared = { x: 1 };
    expect(canonicalJson([shared, shared])).toBe('[{"x":1},{"x":1}]');
  });
});

describe("assertJson", () => {
  test("accepts what canonicalJson does, and names the path it was given", () => {
    fc.assert(
      fc.property(json, (value) => void expect(() => assertJson(value)).not.toThrow()),
      { seed: 7, numRuns: 200 },
    );
    expect(() => assertJson({ a: NaN }, "input")).toThrow(/^input\.a is NaN/);
  });
});
