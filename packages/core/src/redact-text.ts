import type { KeyJudge } from "./redact-keys.ts";
import { hideMembers } from "./redact-members.ts";
import { hideCards, hideIbans } from "./redact-numbers.ts";
import { hidePersonal } from "./redact-personal.ts";
import {
  hideBotTokens,
  hideCommands,
  hideEmails,
  hideHexKeys,
  hidePem,
  hideSchemes,
  hideTokens,
} from "./redact-patterns.ts";
import { hideUrls } from "./redact-url.ts";

/** A secret of the host's own, by its shape. */
export interface RedactionPattern {
  /** Stands in the placeholder: `[redacted:name]`. Letters, digits and dashes. */
  name: string;
  /** Every match is hidden. Keep it linear: it sees texts of any length. */
  pattern: RegExp;
}

/** Characters without a width, which split a name for a program and not for a reader. */
const INVISIBLE = /[\u00ad\u200b-\u200d\u2060\ufeff]/;
const BETWEEN_LETTERS = /(?<=[\w=:"'])[\u00ad\u200b-\u200d\u2060\ufeff]{1,64}(?=[\w=:"'])/g;

/**
 * Makes the function that hides secrets in free text. It never throws: a text that cannot be examined is hidden whole.
 */
export function createTextScrubber(
  judge: KeyJudge,
  patterns: readonly RedactionPattern[],
  personal = false,
): (text: string) => string {
  const own = patterns.map(({ name, pattern }) => ({
    placeholder: () => `[redacted:${name}]`,
    pattern: pattern.global ? pattern : new RegExp(pattern.source, `${pattern.flags}g`),
  }));
  return (text) => {
    if (text.length < 4) return text;
    try {
      let out = text;
      if (INVISIBLE.test(out)) out = out.replace(BETWEEN_LETTERS, "");
      for (const { pattern, placeholder } of own) out = out.replace(pattern, placeholder);
      out = hideTokens(hideSchemes(hideMembers(hideCommands(hideUrls(hidePem(out), judge)), judge)));
      if (/\d/.test(out)) out = hideIbans(hideCards(hideHexKeys(hideBotTokens(out))));
      if (personal) out = hidePersonal(out);
      return hideEmails(out).toWellFormed();
    } catch {
      return "[redacted:text]";
    }
  };
}
