import { describe, expect, test } from "vitest";
import { messageTemplate } from "./message-template.ts";

describe("messageTemplate", () => {
  test.each([
    ["getaddrinfo ENOTFOUND api-1.eu-west-2.example.com", "getaddrinfo ENOTFOUND api-1.eu-west-2.example.com"],
    ["getaddrinfo ENOTFOUND redis-2", "getaddrinfo ENOTFOUND redis-2"],
    ["connect ECONNREFUSED 10.2.3.4:5432", "connect ECONNREFUSED <ip>:<n>"],
    ["connect ECONNREFUSED ::1:5432 at 12:30:45", "connect ECONNREFUSED <ip>:<n> at <time>"],
    ["connect ECONNREFUSED fe80::1ff:fe23:4567:890a:5432", "connect ECONNREFUSED <ip>:<n>"],
    ["listening on 2001:db8::8a2e:370:7334, not on std::vector", "listening on <ip>, not on std::vector"],
    ["user V1StGXR8_Z5jdHi6B-myT of content-type-option-X1", "user <id> of content-type-option-X<n>"],
    ["drift -5 of 3.5e+10, at most 1e-7, in eu-west-1", "drift <n> of <n>, at most <n>, in eu-west-<n>"],
    ["Request failed with status code 404 after 31 ms", "Request failed with status code 404 after <n> ms"],
    ["HTTP 503 from https://api.example.com/v1/users/42", "HTTP 503 from https://api.example.com/v<n>/users/<n>"],
    [
      "turn 6f1e7c0a-1111-4111-8111-111111111111 at 2026-01-01T10:00:00.123Z took 12.5 s",
      "turn <id> at <time> took <n> s",
    ],
    ["call call_8fk2Jd9 and run_01HZX3 of award_42", "call call_<id> and run_<id> of award_<n>"],
    ["digest 9f86d081884c7d65 at 0x1F", "digest <n> at <n>"],
    [
      "ENOENT: no such file or directory, open '/tmp/hebra-a1/data.json'",
      "ENOENT: no such file or directory, open '<path>/data.json'",
    ],
    ["open C:\\Users\\Ada\\x.json failed", "open <path>/x.json failed"],
    ["Cannot read properties of undefined (reading 'id')", "Cannot read properties of undefined (reading 'id')"],
    ['relation "users" does not exist', 'relation "users" does not exist'],
    ['invalid input: "I would like a refund"', "invalid input: <text>"],
    ["password=[redacted] for [redacted:email]", "password=<secret> for <secret>"],
    ["a\n\n  b\t c", "a b c"],
    ["", ""],
  ])("%s", (message, template) => {
    expect(messageTemplate(message)).toBe(template);
  });

  test("is short, well-formed and stable under its own marks", () => {
    expect(messageTemplate("x ".repeat(5_000)).length).toBeLessThanOrEqual(300);
    expect(messageTemplate(`${"y".repeat(299)}\ud83d\ude00`).isWellFormed()).toBe(true);
    expect(messageTemplate("\ue000\ue001 forged 7")).toBe("forged <n>");
    expect(messageTemplate("1 ".repeat(4_000))).toMatch(/^(<n> )+/);
  });
});
