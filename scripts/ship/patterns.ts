/** Something that must not be in a published file. */
export interface Pattern {
  what: string;
  expression: RegExp;
}

/** A path begins here: it is not the tail of a longer path, of a URL or of a word. */
const START = String.raw`(?<![\w./~@:*-])`;
const NAME = String.raw`[A-Za-z0-9._-]+`;

/** Paths that mean something on one machine alone. */
export const localPaths: readonly Pattern[] = [
  { what: "a home directory", expression: new RegExp(`${START}/(?:home|Users)/${NAME}`, "g") },
  { what: "a home directory", expression: new RegExp(`${START}/root/${NAME}`, "g") },
  { what: "a home directory", expression: new RegExp(`${START}~/${NAME}`, "g") },
  {
    what: "a machine's path",
    expression: new RegExp(
      `${START}/(?:work|workspace|workspaces|builds|mnt|srv|private/var|var/folders|var/lib/jenkins)/${NAME}`,
      "g",
    ),
  },
  {
    what: "a drive",
    expression:
      /(?<![\w])[A-Za-z]:\\{1,2}(?:Users|Documents|Windows|Program|Projects|projects|home|work|src|dev|repos|temp|tmp)\b/g,
  },
  { what: "a file URL", expression: /file:\/\/\/(?:home|Users|root|work|private|tmp|[A-Za-z]:)/g },
];

/** Secrets whose form gives them away. */
const secrets: readonly Pattern[] = [
  { what: "a private key", expression: /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/g },
  { what: "an AWS access key", expression: /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g },
  { what: "a GitHub token", expression: /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b/g },
  { what: "an npm token", expression: /\bnpm_[A-Za-z0-9]{36}\b|_authToken\s*=\s*[^\s$"'`]{8,}/g },
  { what: "a Slack token", expression: /\bxox[abprs]-[A-Za-z0-9-]{20,}/g },
  { what: "a model provider's key", expression: /\bsk-(?:[a-z]+-)?[A-Za-z0-9_-]{32,}\b/g },
  { what: "a Google key", expression: /\bAIza[0-9A-Za-z_-]{35}\b/g },
  { what: "a payment key", expression: /\b[rs]k_live_[A-Za-z0-9]{16,}\b/g },
  { what: "a signed token", expression: /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g },
];

/** Runs of characters that nobody's secret has: a test of a redactor needs something to plant. */
const madeUp = /abcdefgh|ABCDEFGH|12345678|EXAMPLE|x{6}/;

/** Every occurrence of what looks like a secret and is not obviously made up. */
export function secretsIn(text: string): { what: string; line: number }[] {
  return occurrences(text, secrets).filter(({ match }) => !madeUp.test(match));
}

/** Files that nobody means to publish. */
export const unwantedFiles: readonly Pattern[] = [
  { what: "an environment file", expression: /(?:^|\/)\.env(?:\..+)?$/ },
  { what: "a client's configuration", expression: /(?:^|\/)\.(?:npmrc|yarnrc|netrc|pgpass)$/ },
  { what: "a key", expression: /(?:^|\/)id_(?:rsa|ed25519|ecdsa)$|\.(?:pem|key|p12|pfx)$/ },
  { what: "a database", expression: /\.(?:sqlite|sqlite-wal|sqlite-shm|rdb|aof)$/ },
  { what: "a test", expression: /\.test(?:-d)?\.(?:ts|tsx|mjs|js)$/ },
  { what: "a compiler's cache", expression: /\.tsbuildinfo$/ },
  { what: "an installed dependency", expression: /(?:^|\/)node_modules\// },
];

/** Every occurrence of the patterns, with its line. */
export function occurrences(
  text: string,
  patterns: readonly Pattern[],
): { what: string; match: string; line: number }[] {
  return patterns.flatMap(({ what, expression }) =>
    [...text.matchAll(expression)].map((match) => ({
      what,
      match: match[0],
      line: text.slice(0, match.index).split("\n").length,
    })),
  );
}
