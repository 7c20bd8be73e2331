/** First digits and lengths of the card schemes in use (ISO/IEC 7812 issuer ranges as the schemes publish them). */
const CARD =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d|2\d\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12}|(?:50|5[6-9]|6[0-9])\d{11,17})$/;

/** Lengths of an IBAN by country (SWIFT IBAN registry). */
const IBAN_LENGTHS =
  "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";
const ibanLength = new Map(IBAN_LENGTHS.split(" ").map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]));

const HEX_RUN = /^(?:[0-9a-f]{32,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/i;

/** Whether a string of digits passes the Luhn check (ISO/IEC 7812-1, annex B). */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    sum += i % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 === 0;
}

/** Hides payment card numbers, in groups or not. A number is one only when its scheme, length and check digit agree. */
export function hideCards(text: string): string {
  // One class without a group: a repeated group would overflow the engine's stack on runs of megabytes.
  return text.replace(/\d[\d \u00a0._\u2010-\u2015-]*/g, (run, at: number) => {
    if (run.length < 13 || isIdentifier(text, at, at + run.length)) return run;
    const groups = [...run.matchAll(/\d+/g)];
    let out = "";
    let done = 0;
    for (let first = 0; first < groups.length; first++) {
      const start = groups[first]!.index;
      if (start < done || !/[2-6]/.test(run[start]!)) continue;
      let digits = "";
      let end = -1;
      for (let last = first; last < groups.length && digits.length < 19; last++) {
        digits += groups[last]![0];
        if (digits.length >= 13 && CARD.test(digits) && passesLuhn(digits))
          end = groups[last]!.index + groups[last]![0].length;
      }
      if (end === -1) continue;
      out += `${run.slice(done, start)}[redacted:card]`;
      done = end;
    }
    return out + run.slice(done);
  });
}

/** A stretch of digits inside a UUID or a hex digest is no card number. */
function isIdentifier(text: string, start: number, end: number): boolean {
  let from = start;
  let to = end;
  while (from > 0 && start - from < 128 && /[0-9A-Fa-f-]/.test(text[from - 1]!)) from--;
  while (to < text.length && to - end < 128 && /[0-9A-Fa-f-]/.test(text[to]!)) to++;
  return to - from <= 160 && HEX_RUN.test(text.slice(from, to));
}

/**
 * Hides international bank account numbers, in groups of four or not: country, length and the mod 97 check (ISO 13616)
 * must agree.
 */
export function hideIbans(text: string): string {
  let out = "";
  let done = 0;
  for (const { index, 0: start } of text.matchAll(/(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))[A-Za-z]{2}\d{2}/g)) {
    const length = ibanLength.get(start.slice(0, 2).toUpperCase());
    if (length === undefined || index < done) continue;
    const end = accountEnd(text, index, length);
    if (
      end === undefined ||
      mod97(
        text
          .slice(index, end)
          .replace(/[^A-Za-z0-9]/g, "")
          .toUpperCase(),
      ) !== 1
    )
      continue;
    out += `${text.slice(done, index)}[redacted:iban]`;
    done = end;
  }
  return out + text.slice(done);
}

/**
 * Where a number of so many letters and digits ends, single blanks or dashes between them; `undefined` when it is
 * longer or shorter.
 */
function accountEnd(text: string, from: number, length: number): number | undefined {
  let at = from;
  for (let seen = 0; seen < length; seen++) {
    if (seen > 0 && /[ \u00a0-]/.test(text[at] ?? "")) at++;
    if (!/[A-Za-z0-9]/.test(text[at++] ?? "")) return undefined;
  }
  return /[A-Za-z0-9]/.test(text[at] ?? "") ? undefined : at;
}

function mod97(account: string): number {
  let rest = 0;
  for (const char of account.slice(4) + account.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest;
}
