import { describe, expect, test } from "vitest";
import { keyTokens } from "./redact-keys.ts";
import { createRedactor, redactText } from "./redact.ts";
import { errorSignature } from "./signature.ts";

const MEGABYTE = 1_000_000;
const fill = (unit: string, length = MEGABYTE) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);

/** Texts that make a careless pattern start over at every character. */
const UNITS: readonly string[] = [
  "a",
  "A",
  "0",
  " ",
  "\n",
  "=",
  ":",
  '"',
  "\\",
  "[",
  "{",
  "-",
  ".",
  "@",
  "%40",
  "/",
  "é",
  "\ud83d\ude00",
  "\ud800",
  "a@",
  "a.",
  "a.a@",
  "a:",
  "a:b@",
  "a:a:",
  "eyJ",
  "eyJ.",
  "sk-",
  "ghp_",
  "ghp_a",
  "AKIA",
  "Bearer ",
  "bearer:",
  "basic=",
  "://",
  "a://",
  "://>",
  "a://\t",
  "http://a:",
  "http://a:b/",
  "https://:1",
  "?a=",
  "&a=b",
  "#a=",
  "password",
  "password=",
  "password:",
  'password="',
  "password='",
  "password={",
  "password=[",
  "password is ",
  'password\\"',
  "token,",
  "token=,a",
  "token;a",
  "--password ",
  "'token','",
  "<password>",
  "-----BEGIN",
  "-----BEGIN PRIVATE KEY-----",
  "-----BEGIN CERTIFICATE-----",
  "-----END",
  "1 ",
  "1-",
  "4111 ",
  "4111111111111111 ",
  "DE89 ",
  "DE89a",
  "aA0",
  "aA0/",
  "a-0-",
  "123456:",
  "a b=",
  "cookie: ",
  "authorization:",
  "x\\n",
  "[redacted]",
  "[redacted:key]=",
  "%22",
  "%2522",
  "&quot;",
  "\u001b[1m",
  "\u0000",
  "a b c is ",
  'name":"a","value',
  'a"b',
  "`",
  "“",
  "%3D",
  "_a",
  "A0a.",
];

/** Milliseconds of processor time, which a busy machine lengthens less than a wall clock's. */
function cost(work: () => unknown): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}

describe("no text takes more than linear time", () => {
  // Growth is what counts: eight times the text may take eight times the work. A quadratic pass would take sixty-four
  // times, and over an
  // eighth of a megabyte some 10^10 steps, which is half a minute at best.
  test.each(UNITS)(
    "an eighth of a megabyte of %j",
    (unit) => {
      redactText(fill(unit, 10_000));
      const large = cost(() => redactText(fill(unit, MEGABYTE / 8)));
      if (large > 200) expect(large).toBeLessThan(30 * cost(() => redactText(fill(unit, MEGABYTE / 64))));
      expect(large).toBeLessThan(3_000);
    },
    20_000,
  );

  test("a megabyte of the worst of them together, and each cut and glued at random", () => {
    let seed = 20261121;
    const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    let text = "";
    while (text.length < MEGABYTE) text += fill(UNITS[random(UNITS.length)]!, 1 + random(200));
    expect(cost(() => redactText(text))).toBeLessThan(10_000);
    for (const unit of ["a@", "a://", "password={", "4 ", "DE89 ", "eyJ", "-----BEGIN", "a:"])
      expect(cost(() => redactText(fill(unit)))).toBeLessThan(10_000);
  }, 60_000);

  test("ten megabytes neither overflow a stack nor go by unscrubbed", () => {
    for (const unit of ["a", "aA0/"]) {
      const clean = redactText(`${fill(unit, 10 * MEGABYTE)} apiKey: S3CR3T-1`);
      expect(clean).not.toContain("S3CR3T");
      expect(clean).not.toBe("[redacted:text]");
    }
  }, 60_000);

  test("long keys and long values in structures", () => {
    const { redact } = createRedactor();
    const out = JSON.stringify(
      redact({ [fill("aB")]: "x", message: fill("Bearer abc "), list: Array.from({ length: 100_000 }, (_, i) => i) }),
    );
    expect(out.length).toBeLessThan(20_000);
    expect(keyTokens(fill("aB")).length).toBeGreaterThan(0);
  });

  test.each(["a", "1", "a.", "/", "/a", "'", '"a', "0x", "a-1", "f0", "::", "1:", "at x (", "\n    at f (/a:1:1)"])(
    "signatures of a megabyte of %j",
    (unit) => {
      const error = new Error(fill(unit));
      expect(
        cost(() => expect(errorSignature(error, { component: "x" }).message.length).toBeLessThanOrEqual(600)),
      ).toBeLessThan(3_000);
    },
  );
});
