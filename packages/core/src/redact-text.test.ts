import { describe, expect, test } from "vitest";
import { createRedactor, redactText } from "./redact.ts";

// Assembled, so that scanners of this repository find no key in it.
const key = (...parts: string[]) => parts.join("");
const RUN = "abcdefghijklmnopqrstuvwxyz0123456789ABCD";

/** Each text holds `S3CR3T…` or another value of the second column, and nothing of it may be left. */
const SECRETS: readonly [text: string, secret: string, left?: string][] = [
  ["Authorization: Bearer S3CR3T-abc", "S3CR3T", "Authorization: [redacted]"],
  ["got bearer S3CR3T and BEARER  S3CR3T2", "S3CR3T"],
  ["Bearer abcdefghij only letters", "abcdefghij"],
  ["bearer%20S3CR3T", "S3CR3T"],
  ["Basic dXNlcjpTM0NSM1Q=", "dXNlcjpTM0NSM1Q"],
  ['Proxy-Authorization: Digest username="bob", response="S3CR3T"', "S3CR3T"],
  ["Cookie: sid=S3CR3T; theme=S3CR3T2", "S3CR3T", "Cookie: [redacted]"],
  ["Set-Cookie: a=S3CR3T; Path=/\nX-Ok: 1", "S3CR3T", "Set-Cookie: [redacted]\nX-Ok: 1"],
  ["curl -H 'Authorization: token S3CR3T' https://x.example", "S3CR3T"],
  ["password=S3CR3T user=42", "S3CR3T", "password=[redacted] user=42"],
  ["password: S3CR3T", "S3CR3T"],
  ["password:\t\t   S3CR3T", "S3CR3T"],
  ["password is S3CR3T", "S3CR3T"],
  ["PASSWORD := 'S3CR3T with blanks' next", "S3CR3T with", "PASSWORD := '[redacted]' next"],
  ['{"password":"S3CR3T \\" quoted S3CR3T2","ok":1}', "S3CR3T", '{"password":"[redacted]","ok":1}'],
  ['{\\"apiKey\\":\\"S3CR3T x\\",\\"ok\\":1}', "S3CR3T", '{\\"apiKey\\":\\"[redacted]\\",\\"ok\\":1}'],
  ['{"secret":["S3CR3T","S3CR3T2 ] x"],"ok":1}', "S3CR3T", '{"secret":[redacted],"ok":1}'],
  ['{"credentials":{"user":"bob","key":"S3CR3T"},"ok":1}', "S3CR3T", '{"credentials":[redacted],"ok":1}'],
  ["{ apiKey: 'S3CR3T', ok: 1 }", "S3CR3T", "{ apiKey: '[redacted]', ok: 1 }"],
  ["Map(1) { 'api_key' => 'S3CR3T' }", "S3CR3T"],
  ["[ 'x-api-key', 'S3CR3T word' ]", "S3CR3T"],
  ["login --password S3CR3T --user bob", "S3CR3T", "login --password [redacted] --user bob"],
  ["login --api-key=S3CR3T", "S3CR3T"],
  ["export OPENAI_API_KEY=S3CR3T", "S3CR3T"],
  ["\\napi_key=S3CR3T", "S3CR3T"],
  ["a=1%26api_key%3DS3CR3T", "S3CR3T"],
  ["user[password]=S3CR3T&ok=1", "S3CR3T"],
  ["Server=db;Password=S3CR3T;b;Database=y", "S3CR3T;b"],
  ["IDENTIFIED WITH password 'S3CR3T'", "S3CR3T"],
  ["<password>S3CR3T</password>", "S3CR3T", "<password>[redacted]</password>"],
  ["password = b'S3CR3T two'", "two"],
  ['token = """S3CR3T two"""', "two"],
  ["contraseña: S3CR3T", "S3CR3T"],
  ["password: “S3CR3T two”", "two"],
  ["passphrase: correct horse battery", "battery"],
  ["rut: 12.345.678-5", "12.345"],
  ['password: "S3CR3T cut off', "cut off"],
  ["https://bob:S3CR3T@host.example/x", "S3CR3T", "https://[redacted]@host.example/x"],
  ["https://bob:S3/CR3T@host.example/x", "CR3T"],
  ["https://S3CR3T@git.example/r.git", "S3CR3T"],
  ["postgres://u:S3C/R#3?T@db:5432/x", "S3C", "postgres://[redacted]@db:5432/x"],
  ["redis://:S3CR3T@cache:6379", "S3CR3T"],
  ["mysql u:S3CR3T@tcp(db:3306)/x", "S3CR3T"],
  [
    "GET /cb?code=S3CR3T&state=S3CR3T2#id_token=S3CR3T3",
    "S3CR3T",
    "GET /cb?code=[redacted]&state=[redacted]#id_token=[redacted]",
  ],
  ["https://x.example/p?q=O'S3CR3T", "S3CR3T"],
  [key("see eyJ", "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.", "dBjftJeZ4CVP ok"), "dBjftJeZ4CVP"],
  [key("use sk-", "proj-", RUN), RUN.slice(0, 12)],
  [key("use sk-", "ant-api03-", RUN), RUN.slice(0, 12)],
  [key("use sk-", "abcdefghijklmnopqrst"), "abcdefghijkl"],
  [key("log\\nsk-", "abcdefghijklmnopqrst"), "abcdefghijkl"],
  [key("x%3Dsk-", "abcdefghijklmnopqrst"), "abcdefghijkl"],
  [key("push gh", "p_", RUN), RUN.slice(0, 12)],
  [key("push github", "_pat_", RUN), RUN.slice(0, 12)],
  [key("glued-xgh", "p_", RUN), RUN.slice(0, 12)],
  [key("id AK", "IAIOSFODNN7EXAMPLE"), "IOSFODNN7"],
  [key("key wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYEXAMPLEKEY"), "K7MDENG"],
  [key("xox", "b-1234567890-abcdefghij"), "1234567890-abc"],
  [key("AI", "zaSyA-abcdefghijklmnopqrstuvwxyz01234"), "abcdefghijkl"],
  [key("sk_", "live_", RUN), RUN.slice(0, 12)],
  [key("https://hooks.slack", ".com/services/T0/B0/", RUN), RUN.slice(0, 12)],
  [key("bot123456789:", "AAE", RUN), RUN.slice(0, 12)],
  ["random Zk3vQ9xR7mT2bN8wLc5yH1pD6sJ4fG0a here", "Zk3vQ9xR7m"],
  ["-----BEGIN PRIVATE KEY-----\nMIIS3CR3T\n-----END PRIVATE KEY-----\nnext", "S3CR3T", "[redacted:private-key]\nnext"],
  ["-----BEGIN OPENSSH PRIVATE KEY-----\\nS3CR3T\\ncut", "S3CR3T"],
  ["-----BEGIN PGP PRIVATE KEY BLOCK-----\nS3CR3T\n-----END PGP PRIVATE KEY BLOCK-----", "S3CR3T"],
  ["password = 'it''s S3CR3T' ok", "S3CR3T", "password = '[redacted]' ok"],
  ["API key: S3CR3T", "S3CR3T"],
  ["the access token S3CR3T expired, set password S3CR3T2", "S3CR3T"],
  ["your one-time code is 482913", "482913"],
  ["password was changed to S3CR3T", "S3CR3T"],
  ["password%22%3A%22S3CR3T%22", "S3CR3T"],
  ["password%2522%253A%2522S3CR3T", "S3CR3T"],
  ["{&quot;password&quot;:&quot;S3CR3T&quot;}", "S3CR3T"],
  ["\u001b[32m'apiKey'\u001b[39m: \u001b[32m'S3CR3T x'\u001b[39m", "S3CR3T"],
  ['<input name="password" value="S3CR3T x">', "S3CR3T", '<input name="password" value="[redacted]">'],
  ['{"name":"password","value":"S3CR3T x","ok":1}', "S3CR3T", '{"name":"password","value":"[redacted]","ok":1}'],
  ['form-data; name="password"\r\n\r\nS3CR3T\r\n--x', "S3CR3T"],
  ["password: |\n  S3CR3T\n  S3CR3T2\nnext: 1", "S3CR3T", "password: [redacted]\nnext: 1"],
  ["password：S3CR3T", "S3CR3T"],
  ["curl -u bob:S3CR3T https://h", "S3CR3T"],
  [
    "mysql -uroot -pS3CR3T db; sshpass -p S3CR3T ssh",
    "S3CR3T",
    "mysql -uroot -p[redacted] db; sshpass -p [redacted] ssh",
  ],
  ["card 4111\u20111111\u20111111\u20111111", "1111"],
  ['mail "ada lovelace"@example.com', "lovelace"],
  ["mail to ada.lovelace+x@sub.example.co.uk now", "lovelace"],
  ["mail to josé@exämple.org", "josé"],
  ["mail=ada%40example.com", "ada"],
  [
    "card 4111111111111111 and 5500-0000-0000-0004, 3400 000000 00009",
    "0000",
    "card [redacted:card] and [redacted:card], [redacted:card]",
  ],
  ["order 12 4111 1111 1111 1111 ok", "4111", "order 12 [redacted:card] ok"],
  [
    "pay to DE89 3704 0044 0532 0130 00 OR TO gb82west12345698765432",
    "3704",
    "pay to [redacted:iban] OR TO [redacted:iban]",
  ],
];

/** What must stay readable: over-redaction costs the operator the log. */
const KEPT: readonly string[] = [
  "truth=1 product_brutto=5 spinner: on",
  "the token is expired; the password was invalid",
  "Bearer authentication required, basic functionality, Bearer token missing",
  "Unexpected token { in JSON at position 5",
  "order 6f1e7c0a-1111-4111-8111-411111111111 in 1767225600000 ms",
  "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "4111111111111112 is no card, 1234567890123456 neither",
  "DE88 3704 0044 0532 0130 00 has a wrong check digit",
  "at createThreadEngineWithSqliteStore2 (/srv/app/node_modules/.pnpm/vitest@4.1.12_@types+node@20.19.43/x.js:10:5)",
  "https://host.example:8443/path/to/thing#section",
  "risk-assessment-of-the-year, task-force-management-and-more",
  "connect ECONNREFUSED 127.0.0.1:5432 after 3 attempts: gave up",
  '{"kind":"cookie","at":1}',
  "secret word, api key and access token policy for the session cookie banner",
  "password= , token: null, secret=***",
  "-----BEGIN CERTIFICATE-----\nMIIBpublic\n-----END CERTIFICATE-----",
  "12:30:45 user@host did 3*4=12 & more",
  "",
];

describe("redactText", () => {
  test.each(SECRETS)("hides the secret in %j", (text: string, secret: string, left?: string) => {
    const clean = redactText(text);
    expect(clean).not.toContain(secret);
    expect(clean).not.toMatch(/S3CR3T/);
    if (left !== undefined) expect(clean).toBe(left);
    expect(redactText(clean)).toBe(clean);
  });

  test.each(KEPT)("leaves %j as it is", (text) => {
    expect(redactText(text)).toBe(text);
  });

  test("hides all hits, not the first of each", () => {
    const all = SECRETS.map(([text]) => text)
      .filter((text) => !/[“«]|cut/.test(text))
      .join("\n\n");
    const clean = redactText(`${all}\n\n${all}`);
    for (const [text, secret] of SECRETS) if (!/[“«]|cut/.test(text)) expect(clean).not.toContain(secret);
  });

  test("applies the host's patterns first, at every hit", () => {
    const { redactText: own } = createRedactor({
      patterns: [
        { name: "order", pattern: /ORD-\d+/ },
        { name: "dollar", pattern: /\$\d+/g },
      ],
    });
    expect(own("ORD-1 and ORD-22 cost $5, $6")).toBe(
      "[redacted:order] and [redacted:order] cost [redacted:dollar], [redacted:dollar]",
    );
  });

  test("hides a text whole when a pattern of the host's fails on it", () => {
    const pattern = /x/g;
    pattern[Symbol.replace] = () => {
      throw new Error("no");
    };
    expect(createRedactor({ patterns: [{ name: "bad", pattern }] }).redactText("some text")).toBe("[redacted:text]");
  });
});
