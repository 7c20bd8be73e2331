import type { KeyJudge } from "./redact-keys.ts";

const STOP_STRICT = /[\s/?#"'`<>\\]/g;
const STOP_LOOSE = /[\s"`<>]/g;
const WEB = /(?:https?|wss?|file)$/i;

/**
 * Hides what a URL in text says besides where it points: the user and password, and the values of query parameters but
 * for words and small numbers.
 * A connection string may hold `/`, `?` or `#` in its password unencoded, so outside `http` the last `@` counts.
 */
export function hideUrls(text: string, judge: KeyJudge): string {
  return hideQueries(hideBarePasswords(text.includes("://") ? hideUserInfo(text) : text), judge);
}

function hideUserInfo(text: string): string {
  let out = "";
  let done = 0;
  let looseEnd = -1;
  let looseSign = -1;
  for (let at = text.indexOf("://"); at !== -1; at = text.indexOf("://", at + 3)) {
    const start = at + 3;
    if (start < done) continue;
    const authority = text.slice(start, stopAt(STOP_STRICT, text, start));
    let sign = authority.lastIndexOf("@");
    if (sign === -1 && (!WEB.test(text.slice(Math.max(0, at - 8), at)) || hasBadPort(authority))) {
      // Looked up once per run without blanks, so that a text of nothing but `://` stays linear.
      if (start > looseEnd) {
        looseEnd = stopAt(STOP_LOOSE, text, start);
        // Within the run alone: a look back over all of the text, run after run, would be quadratic.
        looseSign = start + text.slice(start, looseEnd).lastIndexOf("@");
      }
      sign = looseSign - start;
    }
    if (sign < 1) continue;
    out += `${text.slice(done, start)}[redacted]`;
    done = start + sign;
  }
  return out + text.slice(done);
}

/** `user:pa/ss@host`: what follows the colon is no port, so it is a password that goes on behind the slash. */
function hasBadPort(authority: string): boolean {
  const port = authority.slice(authority.lastIndexOf("]") + 1).split(":", 2)[1];
  return port !== undefined && !/^\d*$/.test(port);
}

function stopAt(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(text)?.index ?? text.length;
}

/** `user:password@host` without a scheme. */
function hideBarePasswords(text: string): string {
  if (!text.includes("@")) return text;
  return text.replace(/(?<![\w%.-])([\w%.-]{1,64}):([^\s@"'`/\\[\]]{1,128})@/g, "$1:[redacted]@");
}

/** Parameters whose values are secrets or a person's words, however plain they look. */
const TELLING = /^(?:code|state|key|k|p|t|q|query|search|nonce|otp|email|mail|user|username|name|phone|login)$/i;
/** A word or a small number: the colour, page and order of a list. */
const HARMLESS = /^(?:[a-z]{1,12}|\d{1,6})$/;

function hideQueries(text: string, judge: KeyJudge): string {
  if (!text.includes("=")) return text;
  return text.replace(
    /([?&#])([\w.[\]%$~-]{1,64})=([^\s&#"`<>]+)/g,
    (all: string, before: string, name: string, value: string) => {
      const plain = HARMLESS.test(value) && !TELLING.test(name) && (!judge.denied(name) || judge.weak(name));
      return plain ? all : `${before}${name}=[redacted]`;
    },
  );
}
