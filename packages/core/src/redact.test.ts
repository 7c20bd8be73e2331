import { describe, expect, test } from "vitest";
import { canonicalJson } from "./canonical-json.ts";
import { createRedactor, type RedactorOptions } from "./redact.ts";

const { redact } = createRedactor();
const fails = (): never => {
  throw new Error("S3CR3T");
};

describe("redact goes by an allow list", () => {
  test("allowed keys pass, secret keys hide all below them, others hide their scalars and are followed", () => {
    expect(
      redact({
        executionId: "e-1",
        durationMs: 12,
        ok: false,
        nickname: "Ada",
        age: 36,
        married: true,
        pet: null,
        big: 10n,
        apiKey: "k",
        credentials: { user: "bob", list: [1] },
        order: { id: "o-1", note: "x", items: [{ status: "sent", sku: "y" }, "z", 4] },
      }),
    ).toEqual({
      executionId: "e-1",
      durationMs: 12,
      ok: false,
      nickname: "[redacted:string]",
      age: "[redacted:number]",
      married: true,
      pet: null,
      big: "[redacted:bigint]",
      apiKey: "[redacted:string]",
      credentials: "[redacted:object]",
      order: {
        id: "o-1",
        note: "[redacted:string]",
        items: [{ status: "sent", sku: "[redacted:string]" }, "[redacted:string]", "[redacted:number]"],
      },
    });
  });

  test("text under an allowed key is scrubbed, and card numbers are no numbers", () => {
    expect(redact({ message: "token=S3CR3T", count: 4111111111111111, total: 1767225600000, size: 5n })).toEqual({
      message: "token=[redacted]",
      count: "[redacted:card]",
      total: 1767225600000,
      size: "5",
    });
  });

  test("a secret's name in a list hides its neighbour", () => {
    expect(redact({ actions: ["--password", "S3CR3T", "--limit", "5"] })).toEqual({
      actions: ["--password", "[redacted:string]", "--limit", "5"],
    });
    expect(
      redact([
        ["Cookie", "S3CR3T"],
        ["x-api-key", { a: 1 }],
      ]),
    ).toEqual([
      ["Cookie", "[redacted:string]"],
      ["x-api-key", "[redacted:object]"],
    ]);
  });

  test("a key that holds a secret, or is data, is replaced; names never collide", () => {
    const out = redact({
      "ada@example.com": true,
      "+56 9 1234 5678": true,
      "Ada Lovelace": true,
      "12345678901": true,
      status: "x",
    }) as object;
    expect(out).toEqual({
      "[redacted:key]": true,
      "[redacted:key]#2": true,
      "[redacted:key]#3": true,
      "[redacted:key]#4": true,
      status: "x",
    });
    expect(
      redact(
        new Map<unknown, unknown>([
          ["status", "ok"],
          ["Zk3vQ9xR7mT2bN8wLc5yH1pD6sJ4fG0a", true],
          [{}, true],
          [7, true],
        ]),
      ),
    ).toEqual({
      status: "ok",
      "[redacted:key]": true,
      "[object]": true,
      "7": true,
    });
  });
});

describe("redact takes any value", () => {
  test("errors keep their text without secrets, with causes and fields", () => {
    const error = Object.assign(
      new TypeError("GET https://u:S3CR3T@x.example/ failed", { cause: new Error("Bearer S3CR3T") }),
      {
        code: "E_HTTP",
        status: 502,
        config: { headers: { Authorization: "S3CR3T", Accept: "S3CR3T" } },
      },
    );
    const out = redact({ error });
    expect(JSON.stringify(out)).not.toContain("S3CR3T");
    expect(out).toMatchObject({
      error: {
        name: "TypeError",
        message: "GET https://[redacted]@x.example/ failed",
        code: "E_HTTP",
        status: 502,
        stack: expect.stringMatching(/^TypeError: GET .*\n {4}at /),
        cause: { name: "Error", message: "Bearer [redacted]" },
        config: { headers: { Authorization: "[redacted:string]" } },
      },
    });
    expect(redact(new AggregateError([new Error("a"), "b"], "both"))).toMatchObject({
      message: "both",
      errors: [{ message: "a" }, "b"],
    });
    expect(redact({ apiKey: error })).toEqual({ apiKey: "[redacted:object]" });
  });

  test("dates, URLs, expressions, bytes, sets, boxed values, functions, promises", () => {
    const url = new URL("https://u:S3CR3T@x.example/p?token=S3CR3T&page=S3CR3T#S3CR3T");
    expect(
      redact({
        at: new Date(0),
        url,
        pattern: /S3CR3T/,
        codes: new Set(["S3CR3T"]),
        code: new Set(["a"]),
        birthday: new Date(0),
        homepage: url,
        time: new Date(NaN),
      }),
    ).toEqual({
      at: "1970-01-01T00:00:00.000Z",
      url: "https://[redacted]@x.example/p?token=[redacted]&page=[redacted]#[redacted]",
      pattern: "[redacted:regexp]",
      codes: ["[redacted:string]"],
      code: ["a"],
      birthday: "[redacted:date]",
      homepage: "[redacted:url]",
      time: "[invalid date]",
    });
    expect(
      redact([
        Buffer.from("S3CR3T"),
        new Float64Array(2),
        new ArrayBuffer(3),
        new DataView(new ArrayBuffer(4)),
        Promise.resolve(1),
        fails,
        Symbol("S3CR3T"),
        undefined,
        NaN,
      ]),
    ).toEqual([
      "[bytes:6]",
      "[bytes:16]",
      "[bytes:3]",
      "[bytes:4]",
      "[promise]",
      "[function]",
      "[symbol]",
      null,
      "NaN",
    ]);
    expect(redact({ a: Object("S3CR3T"), status: Object("ok"), b: Object(1), c: Object(true), d: Object(1n) })).toEqual(
      { a: "[redacted:string]", status: "ok", b: "[redacted:number]", c: true, d: "[object]" },
    );
    expect(redact(new Headers({ authorization: "S3CR3T", "content-type": "S3CR3T" }))).toEqual({
      authorization: "[redacted:string]",
      "content-type": "[redacted:string]",
    });
    expect(redact(new URLSearchParams("q=S3CR3T&id=1"))).toEqual({ q: "[redacted:string]", id: "1" });
  });

  test("cycles, shared parts, symbol keys, prototypes", () => {
    const shared = { id: 1 };
    const node: Record<PropertyKey, unknown> = { id: "n", left: shared, right: shared, [Symbol("S3CR3T")]: "S3CR3T" };
    node["parent"] = node;
    expect(redact(node)).toEqual({ id: "n", left: { id: 1 }, right: { id: 1 }, parent: "[cycle]" });
    const evil = JSON.parse('{"__proto__":{"id":"x"}}') as object;
    const out = redact(evil) as object;
    expect(Object.getPrototypeOf(out)).toBe(Object.prototype);
    expect(Object.keys(out)).toEqual(["__proto__"]);
  });

  test("getters, proxies and iterators that throw", () => {
    const revoked = Proxy.revocable([], {});
    revoked.revoke();
    const out = redact({
      get id() {
        return fails();
      },
      a: new Proxy({}, { ownKeys: fails }),
      b: new Proxy({ id: 1 }, { get: fails }),
      c: revoked.proxy,
      d: Object.defineProperty(new Error("x"), "message", { get: fails }),
      e: new (class extends Map<string, number> {
        override get size() {
          return fails();
        }
      })([["id", 1]]),
      f: { toJSON: fails, toString: fails, id: 2 },
      g: Object.defineProperty([1], 0, { get: fails }),
    });
    expect(JSON.stringify(out)).not.toContain("S3CR3T");
    expect(out).toMatchObject({
      id: "[unreadable]",
      a: "[unreadable]",
      b: { id: "[unreadable]" },
      c: "[unreadable]",
      d: { message: "[unreadable]" },
      e: { id: 1 },
      f: { id: 2 },
      g: ["[unreadable]"],
    });
    expect(() => canonicalJson(out)).not.toThrow();
  });
});

describe("limits", () => {
  const limited = (options: RedactorOptions) => createRedactor(options).redact;

  test("depth", () => {
    expect(limited({ maxDepth: 2 })({ item: { item: { item: 1 } }, items: [[[1]]] })).toEqual({
      item: { item: "[cut:object]" },
      items: ["[cut:array]"],
    });
  });

  test("length: a text is scrubbed before it is cut, so no piece of a secret stays", () => {
    const redactShort = limited({ maxStringLength: 20 });
    expect(redactShort("x".repeat(30))).toBe(`${"x".repeat(20)}…[cut:30]`);
    expect(JSON.stringify(redactShort(`padding12345678 ghp_${"S3CR3T".repeat(8)}`))).not.toContain("S3CR");
    expect(redactShort(`${"y".repeat(19)}\ud83d\ude00 tail`)).toBe(`${"y".repeat(19)}\ufffd…[cut:26]`);
  });

  test("entries", () => {
    const few = limited({ maxEntries: 2 });
    expect(few([1, 2, 3, 4])).toEqual([1, 2, "[cut:2 more]"]);
    expect(few({ a: true, b: true, c: true })).toEqual({ a: true, b: true, "[cut]": "[cut:more]" });
    expect(
      few(
        new Map([
          ["a", true],
          ["b", true],
          ["c", true],
        ]),
      ),
    ).toEqual({ a: true, b: true, "[cut]": "[cut:more]" });
    expect(few(new Set([1, 2, 3]))).toEqual([1, 2, "[cut:1 more]"]);
  });

  test("nodes: a graph of shared parts does not grow beyond all bounds", () => {
    let graph: unknown = { id: 1 };
    for (let i = 0; i < 7; i++) graph = Array.from({ length: 50 }, () => graph);
    expect(JSON.stringify(redact(graph)).length).toBeLessThan(600_000);
  });

  test.each<[object, string]>([
    [{ maxDepth: 0 }, "maxDepth"],
    [{ allowkeys: [] }, "did you mean `allowKeys`?"],
    [{ patterns: [{ name: "a b", pattern: /x/ }] }, "patterns.0.name"],
  ])("refuses %j", (options, message) => {
    expect(() => createRedactor(options as RedactorOptions)).toThrow(message);
  });
});
