import type { KeyJudge } from "./redact-keys.ts";
import { hideMembers } from "./redact-members.ts";
import { hideCards, hideIbans } from "./redact-numbers.ts";
import { hideBotTokens, hideCommands, hideEmails, hidePem, hideSchemes, hideTokens } from "./redact-patterns.ts";
import { hideUrls } from "./redact-url.ts";

/** A secret of the host's own, by its shape. */
export interface RedactionPattern {
  /** Stands in the placeholder: `[redacted:name]`. Letters, digits and dashes. */
  name: string;
  /** Every match is hidden. Keep it linear: it sees texts of any length. */
  pattern: RegExp;
}

/**
 * Makes the function that hides secrets in free text. It never throws: a text that cannot be examined is hidden whole.
 */
export function createTextScrubber(judge: KeyJudge, patterns: readonly RedactionPattern[]): (text: string) => string {
  const own = patterns.map(({ name, pattern }) => ({
    placeholder: () => `[redacted:${name}]`,
    pattern: pattern.global ? pattern : new RegExp(pattern.source, `${pattern.flags}g`),
  }));
  return (text) => {
    if (text.length < 4) return text;
    try {
      let out = text;
      for (const { pattern, placeholder } of own) out = out.replace(pattern, placeholder);
      out = hideTokens(hideSchemes(hideMembers(hideCommands(hideUrls(hidePem(out))), judge)));
      if (/\d/.test(out)) out = hideIbans(hideCards(hideBotTokens(out)));
      return hideEmails(out).toWellFormed();
    } catch {
      return "[redacted:text]";
    }
  };
}
