/**
 * The secrets that are known by their shape. Every pattern is linear: it starts only where a run of its characters
 * starts,
 * or its repetitions are bounded.
 */

const LABEL_WORDS = new Set(
  (
    "token tokens auth authentication authorization scheme schemes header headers credential credentials realm error errors of is was are " +
    "not and or for in has have had expired missing invalid required method type format with from to the a an no but prefix string value security"
  ).split(" "),
);

/** Hides private keys in PEM form. One whose end is cut off hides the rest. */
export function hidePem(text: string): string {
  if (!text.includes("-----BEGIN")) return text;
  let out = "";
  let done = 0;
  for (let at = text.indexOf("-----BEGIN"); at !== -1; at = text.indexOf("-----BEGIN", Math.max(done, at + 1))) {
    const header = text.slice(at, at + 80);
    if (!/^-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY/i.test(header)) continue;
    const end = text.indexOf("-----END", at);
    const close = end === -1 ? -1 : text.indexOf("-----", end + 8);
    out += `${text.slice(done, at)}[redacted:private-key]`;
    done = close === -1 ? text.length : close + 5;
  }
  return out + text.slice(done);
}

/** Hides what follows an authentication scheme: `Bearer …`, `Basic …`. */
export function hideSchemes(text: string): string {
  return text.replace(
    /(?:(?<![\p{L}\p{N}])|(?<=\\[nrt]|%[0-9a-f]{2}))(bearer|basic|negotiate|apikey)((?:[\s:=+"'\\]|%20|%3A){1,8}(?:tokens?[\s:=]{1,8})?)([^\s"'`,;<>()\\]+)/giu,
    (all: string, scheme: string, between: string, value: string) => {
      if (/^\[redacted/.test(value) || LABEL_WORDS.has(value.replace(/[=.:]+$/, "").toLowerCase())) return all;
      const sure = /^(?:bearer|apikey)$/i.test(scheme) || (value.length >= 8 && /\d|=$|.[A-Z]/.test(value));
      return sure ? `${scheme}${between}[redacted]` : all;
    },
  );
}

/**
 * Keys with a distinctive beginning, wherever it stands in a run of characters; counts are exact since all to the run's
 * end is hidden.
 */
const ANYWHERE =
  /github_pat_\w{16}|gh[pousr]_[A-Za-z0-9]{16}|gl(?:pat|ptt|dt|rt|soat)-[\w-]{12}|xox[a-z]-[\w-]{8}|xapp-[\w-]{8}|(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA)[A-Z0-9]{12}|AIza[\w-]{24}|ya29\.[\w-]{12}|npm_[A-Za-z0-9]{24}|pypi-[\w-]{24}|dop_v1_\w{16}|shp(?:at|ca|pa|ss)_\w{16}|whsec_[\w+/]{16}|[srp]k_(?:live|test|prod)_\w{8}|SG\.[\w-]{16}|eyJ[\w-]{17}|sk-(?:ant|proj|or|svcacct|admin)-[\w-]{12}|AGE-SECRET-KEY-1\w{16}|dckr_pat_[\w-]{12}|lin_api_\w{16}|figd_[\w-]{16}|sbp_[0-9a-f]{24}|sq0(?:atp|csp|idp)-[\w-]{16}|glc_eyJ|ATATT3[\w-]{12}|hooks\.slack\.com\/services\/|discord(?:app)?\.com\/api\/webhooks\/|xkeysib-[0-9a-f]{16}|[0-9a-f]{32}-us\d|secret_[A-Za-z0-9]{24}/;
/** Keys whose beginning is short enough to stand inside a word: only at its start, or after an escape. */
const AT_START =
  /(?<![A-Za-z0-9]|[A-Za-z0-9]_)(?:sk-[\w-]{16}|gsk_\w{16}|xai-\w{16}|pplx-\w{16}|r8_\w{16}|hf_[A-Za-z0-9]{16}|key-[0-9a-z]{24}|hv[sb]\.[\w-]{16}|re_[A-Za-z0-9_]{20}|tvly-[\w-]{16}|SK[0-9a-f]{32})|(?<=%[0-9A-Fa-f]{2}|(?<![A-Za-z0-9])[nrt])sk-[\w-]{16}/;

/** Hides access keys of known makers, base64 of JSON (so also JWTs), and long random-looking runs. */
export function hideTokens(text: string): string {
  return text.replace(/[A-Za-z0-9_.~+/=%-]+/g, (run) => {
    if (run.length < 12) return run;
    const known = [ANYWHERE.exec(run), AT_START.exec(run)].flatMap((hit) => (hit === null ? [] : [hit.index]));
    if (known.length > 0) return `${run.slice(0, Math.min(...known))}[redacted:key]`;
    return run.length < 32
      ? run
      : run.replace(/[A-Za-z0-9_+/-]+/g, (part) => (looksRandom(part) ? "[redacted:random]" : part));
  });
}

/**
 * Whether a run of characters looks drawn at random: at least 32 letters and digits, some of each class, and a change
 * of class at every
 * third character or oftener. UUIDs, hex digests, slugs, paths and camel-case names do not.
 */
export function looksRandom(text: string): boolean {
  const counts = [0, 0, 0];
  let changes = 0;
  let last = -1;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const kind = unit >= 97 && unit <= 122 ? 0 : unit >= 65 && unit <= 90 ? 1 : unit >= 48 && unit <= 57 ? 2 : -1;
    if (kind === -1) continue;
    counts[kind]!++;
    if (last !== -1 && kind !== last) changes++;
    last = kind;
  }
  const total = counts[0]! + counts[1]! + counts[2]!;
  // The form of an AWS secret key.
  if (
    text.length === 40 &&
    /[+/]/.test(text) &&
    !/[_-]/.test(text) &&
    counts[0]! > 7 &&
    counts[1]! > 7 &&
    changes >= 12
  )
    return true;
  return total >= 32 && counts.every((count) => count > 0) && changes >= total * 0.36;
}

/** Whether a word mixes letters and digits as no word of a language or of a state does. */
export function looksCoded(word: string): boolean {
  if (word.length < 6) return false;
  if (/^(?=.*\d)(?=.*[a-f])[0-9a-f]{16,}$/i.test(word)) return true;
  return (word.match(/(?<=[A-Za-z])\d|(?<=\d)[A-Za-z]/g)?.length ?? 0) >= 3;
}

/** Hides passwords on well-known command lines: `curl -u user:password`, `mysql -ppassword`, `sshpass -p password`. */
export function hideCommands(text: string): string {
  if (!/\s-/.test(text)) return text;
  return text
    .replace(/(?<!\S)(-u|--user)([ =]["']?)([^\s:"']{1,64}):([^\s"']{1,256})/g, "$1$2$3:[redacted]")
    .replace(
      /\b((?:sshpass|docker login|podman login|mysql\w{0,8}|mariadb\w{0,8}|redis-cli)\b[^\n|;&]{0,200}?\s-[pa][ =]?)(?![\s[])[^\s"']{1,256}/g,
      "$1[redacted]",
    );
}

/** Hides bot tokens of the form `123456789:ABC…`. */
export function hideBotTokens(text: string): string {
  return text.replace(/(?<!\d)\d{6,12}(?::|%3A)[\w-]{30,}/gi, "[redacted:key]");
}

/** What says that 32 hexadecimal digits are no key: the name of an identifier or of a digest stands before them. */
const NAMES_DIGEST =
  /(?:ids?|trace|span|digest|hash|md5|etag|checksum|sum|fingerprint|commit|revision|version|uuid|guid)["']?[\s:=#([]{0,4}["']?$/i;

/** Hides keys of 32 hexadecimal digits, as a Twilio token after its account's SID. UUIDs and longer digests stay. */
export function hideHexKeys(text: string): string {
  return text.replace(/(?<![\w-])(?:[A-Z]{2})?[0-9a-f]{32}(?![\w-])/gi, (run: string, at: number) => {
    // An account's SID is no secret.
    if (run.length > 32) return run;
    if (!/[a-f]/i.test(run) || !/\d/.test(run)) return run;
    return NAMES_DIGEST.test(text.slice(Math.max(0, at - 24), at)) ? run : "[redacted:key]";
  });
}

/** Hides e-mail addresses, also where the at sign is percent-encoded. */
export function hideEmails(text: string): string {
  if (!text.includes("@") && !text.includes("%40")) return text;
  return text
    .replace(/"[^"\n]{1,64}"@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,}/gu, "[redacted:email]")
    .replace(/(?<![\p{L}\p{N}._%+'-])[\p{L}\p{N}._%+'-]+(?:@|%40)(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}/gu, "[redacted:email]");
}
