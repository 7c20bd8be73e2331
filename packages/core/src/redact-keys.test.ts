import { describe, expect, test } from "vitest";
import { compactKey, createKeyJudge, keyTokens } from "./redact-keys.ts";

const judge = createKeyJudge({ allowKeys: [], denyKeys: [] });

describe("keyTokens", () => {
  test.each([
    ["X-Api-Key", "x api key"],
    ["accessToken2", "access token 2"],
    ["HTTPServerURL", "http server url"],
    ["AWS_SECRET_ACCESS_KEY", "aws secret access key"],
    ["contraseña", "contrasena"],
    ["$.user[password]", "user password"],
    ["", ""],
    ["----", ""],
  ])("splits %s", (key, tokens) => {
    expect(keyTokens(key).join(" ")).toBe(tokens);
  });

  test("joins one name's spellings", () => {
    expect(new Set(["threadId", "thread_id", "Thread-Id", "THREAD ID", "thread.id"].map(compactKey))).toEqual(
      new Set(["threadid"]),
    );
  });
});

describe("createKeyJudge", () => {
  test.each([
    "apiKey",
    "api_key",
    "X-Api-Key",
    "APIKEY",
    "openaiApiKey2",
    "accessToken",
    "access_token",
    "id-token",
    "token",
    "csrfToken",
    "dbpassword",
    "userPassword",
    "password_hash",
    "PGPASSWORD",
    "clientsecret",
    "AWS_SECRET_ACCESS_KEY",
    "Authorization",
    "proxy-authorization",
    "Set-Cookie",
    "sessionCookie",
    "DATABASE_URL",
    "connectionString",
    "privateKey",
    "cardNumber",
    "cvv",
    "rut",
    "RUT",
    "rut_cliente",
    "clienteRut",
    "iban",
    "ssn",
    "contraseña",
    "auth",
    "jwt",
    "pin",
  ])("%s is a secret's name", (key) => {
    expect(judge.verdict(key)).toBe("deny");
  });

  test.each([
    "truth",
    "product_brutto",
    "brutto",
    "rutabaga",
    "spinner",
    "pinned",
    "passenger",
    "secretary",
    "tokenizer",
    "cookieless",
    "authorName",
    "authored",
    "compass",
    "keyboard",
    "monkey",
    "nickname",
    "notes",
  ])("%s is not: words count whole", (key) => {
    expect(judge.verdict(key)).toBe("unknown");
  });

  test.each(["executionId", "execution_id", "Execution-Id", "status", "durationMs", "code", "inputTokens"])(
    "%s may pass",
    (key) => {
      expect(judge.verdict(key)).toBe("allow");
    },
  );

  test("the host's lists beat the built-in ones, and its deny list beats its allow list", () => {
    const own = createKeyJudge({
      allowKeys: ["nickname", "tokenCount", "pet_name"],
      denyKeys: ["petName", "status", "customer ref"],
    });
    expect(["nickname", "token_count", "petName", "STATUS", "myCustomerRefId", "token"].map(own.verdict)).toEqual([
      "allow",
      "allow",
      "deny",
      "deny",
      "deny",
      "deny",
    ]);
    expect(own.verdict("nicknames")).toBe("unknown");
  });

  test("takes an absurdly long key for a secret, and remembers no more than it should", () => {
    expect(judge.verdict("a".repeat(1_000_000))).toBe("deny");
    for (let i = 0; i < 10_000; i++) judge.verdict(`key${i}`);
    expect(judge.verdict("apiKey")).toBe("deny");
  });
});
