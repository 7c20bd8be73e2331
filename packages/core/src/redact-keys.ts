import {
  allowedByDefault,
  deniedSuffixes,
  deniedTerms,
  deniedWhole,
  lineKeys,
  weakNames,
  wordKeys,
} from "./redact-defaults.ts";

/**
 * What a key's name says about its value: `deny` hides all of it, `allow` lets it pass with its text scrubbed,
 * `unknown` hides every scalar below it.
 */
export type KeyVerdict = "allow" | "deny" | "unknown";

/** Judges keys. Verdicts are remembered, since logs repeat their keys. */
export interface KeyJudge {
  /** The verdict for a structure's key. */
  verdict(key: string): KeyVerdict;
  /** Whether the value after this name in free text is a secret. */
  denied(name: string): boolean;
  /** Whether the name is a common word or abbreviation too, so that a plain word after it in text is no secret. */
  weak(name: string): boolean;
  /** What a value under an allowed key is: one word of a small set, or an identifier that may be all digits of 16. */
  sort(key: string): "word" | "identifier" | undefined;
  /** Whether a value after this name goes on to the end of its line, as headers and passphrases do. */
  wholeLine(name: string): boolean;
}

const IDENTIFIER = /(?:id|ids|hash|digest|fingerprint|signature|key|etag|revision|version|traceparent|problem)$/;
const MAX_KEY = 256;
const MAX_REMEMBERED = 2_000;
const BOUNDARY = /(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])|[^A-Za-z0-9]+/;

/**
 * Splits a name at its word boundaries: case humps, digits, and anything that is neither letter nor digit. Accents are
 * dropped first, so that `contraseña` is `contrasena`.
 */
export function keyTokens(key: string): string[] {
  const plain = key.normalize("NFKD").replace(/\p{M}+/gu, "");
  const tokens: string[] = [];
  for (const part of plain.split(BOUNDARY)) if (part !== "") tokens.push(part.toLowerCase());
  return tokens;
}

/** Joins a name's words: `access_token`, `accessToken` and `Access-Token` are one. */
export function compactKey(key: string): string {
  return keyTokens(key).join("");
}

/** @param options - the user's lists; deny beats allow, and either beats the built-in lists */
export function createKeyJudge(options: { allowKeys: readonly string[]; denyKeys: readonly string[] }): KeyJudge {
  const userAllowed = new Set(options.allowKeys.map(compactKey));
  const userDenied = new Set(options.denyKeys.map(compactKey));
  const verdicts = new Map<string, KeyVerdict>();

  const judge = (key: string): KeyVerdict => {
    if (key.length > MAX_KEY) return "deny";
    const tokens = keyTokens(key);
    const whole = tokens.join("");
    if (hasTerm(tokens, userDenied)) return "deny";
    if (userAllowed.has(whole)) return "allow";
    if (deniedWhole.has(whole) || hasTerm(tokens, deniedTerms) || tokens.some(endsLikeSecret)) return "deny";
    return allowedByDefault.has(whole) ? "allow" : "unknown";
  };
  const verdict = (key: string): KeyVerdict => {
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const made = judge(key);
    if (verdicts.size >= MAX_REMEMBERED) verdicts.clear();
    verdicts.set(key, made);
    return made;
  };
  return {
    verdict,
    // In text a long run ends with the name that counts: `a.b.c.password=`.
    denied: (name) => verdict(name.length > MAX_KEY ? name.slice(-MAX_KEY) : name) === "deny",
    weak: (name) => name.length <= 8 && weakNames.has(compactKey(name)),
    sort(key) {
      if (key.length > MAX_KEY) return undefined;
      const whole = compactKey(key);
      if (wordKeys.has(whole)) return "word";
      return IDENTIFIER.test(whole) ? "identifier" : undefined;
    },
    wholeLine: (name) => hasTerm(keyTokens(name.slice(-MAX_KEY)), lineKeys),
  };
}

/** Whether some run of one to four whole words is a term of the set. Whole words only: `truth` does not hold `rut`. */
function hasTerm(tokens: readonly string[], terms: ReadonlySet<string>): boolean {
  for (let start = 0; start < tokens.length; start++) {
    let joined = "";
    for (let end = start; end < Math.min(tokens.length, start + 4); end++) {
      joined += tokens[end]!;
      if (terms.has(joined)) return true;
    }
  }
  return false;
}

/** For names written without humps, `dbpassword`: only endings that end no other word. */
function endsLikeSecret(token: string): boolean {
  return deniedSuffixes.some((suffix) => token.endsWith(suffix));
}
