import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { createRedactor, redactText } from "./redact.ts";

const HEX = "9f86d081884c7d659a2feaa0c55ad015";
const SID = `AC${"0123456789abcdef".repeat(2)}`;

describe("secrets that look like something else", () => {
  test.each([
    [
      "a key under a word's name",
      JSON.stringify(createRedactor().redact({ status: `failed with S3CR3T9X` })),
      "S3CR3T9X",
    ],
    ["a key of hexadecimal digits under a word's name", JSON.stringify(createRedactor().redact({ state: HEX })), HEX],
    ["a token after a Twilio SID", redactText(`${SID}:${HEX}`), HEX],
    ["a token after a Twilio SID and a blank", redactText(`account ${SID} ${HEX} refused`), HEX],
    ["a bare key of 32 hexadecimal digits", redactText(`refused ${HEX} today`), HEX],
    ["a bare key in an error", JSON.stringify(createRedactor().redact(new Error(`Bad key ${HEX}`))), HEX],
    ["a name split by a zero-width space", redactText("pass\u200bword=hunter22"), "hunter22"],
    ["a name split by a soft hyphen", redactText("api\u00ad_key: hunter22"), "hunter22"],
    ["a name that a joiner parts from its value", redactText("token\u200d=\u2060hunter22"), "hunter22"],
    ["a code in a query", redactText("/callback?code=hunter&page=2"), "hunter"],
    ["a pin of digits", redactText("the pin was 4711, sid=4f7a1b"), "4711"],
  ])("%s is hidden [SE-14]", (_what, shown, secret) => {
    assert.ok(!shown.includes(secret), shown);
    assert.match(shown, /\[redacted/);
  });

  test.each([
    "the pin was bent",
    "&color=red",
    "?page=2&sort=price",
    "sid=abc",
    "GET /list?page=2&sort=price&order=asc 200",
    `trace ${HEX}`,
    `traceId=${HEX}`,
    `md5: ${HEX}`,
    "550e8400-e29b-41d4-a716-446655440000",
    `sha256 ${HEX}${HEX}`,
    `00-${HEX}-b7ad6b7169203331-01`,
    "SCHEMA_NOT_APPLIED in step 2 of v2",
  ])("%s is left as it is [SE-14]", (text) => {
    assert.equal(redactText(text), text);
  });

  test("identifiers and words of states stay under their own names [SE-14]", () => {
    const value = {
      traceId: HEX,
      digest: HEX,
      status: "waiting",
      state: "SCHEMA_NOT_APPLIED",
      type: "http2",
      kind: "part-delta",
    };
    assert.deepEqual(createRedactor().redact(value), value);
  });
});

describe("personal data", () => {
  const personal = [
    "call +34 600 123 456 today",
    "call (212) 555-0143 today",
    "my number is 0049 30 1234567",
    "she gave 078-05-1120",
    "soy 12345678Z",
    "soy X1234567L",
    "sou 529.982.247-25",
    "soy 12.345.678-5 de Chile",
    "I am AB123456C",
  ];
  const plain = [
    "on 2026-11-30 at 10:15",
    "order 1234567890",
    "version 10.20.30",
    "12345678A is no DNI",
    "111.111.111-11 is no CPF",
    "12.345.678-9 is no RUT",
    "1,000,000 of 2,000,000",
    "took 1234.567 ms",
  ];

  test.each(personal)("%s is hidden when the host asks for it, and only then [SE-14]", (text) => {
    const { redactText: strict } = createRedactor({ personalData: true });
    assert.match(strict(text), /\[redacted:(?:phone|national-id)\]/);
    assert.doesNotMatch(redactText(text), /redacted:(?:phone|national-id)/);
  });

  test.each(plain)("%s is no personal number [SE-14]", (text) => {
    assert.equal(createRedactor({ personalData: true }).redactText(text), text);
  });
});
