const MAX_LENGTH = 300;
const MAX_INPUT = 4_096;

/** Host names stay as they are: two servers that cannot be reached are two problems. */
const HOST = String.raw`(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}(?![\w-])`;
const RESOLVED = String.raw`(?<=\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH)\s)[A-Za-z][\w.-]*`;
const STATUS = String.raw`(?<=\b(?:status(?:[ _-]?code)?|HTTP)[ :=]{1,3})[1-5]\d\d(?!\d)`;
const KEPT = new RegExp(`${RESOLVED}|${STATUS}|${HOST}`, "gi");

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const TIME =
  /\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?)?|(?<![\w:])\d\d?:\d\d:\d\d(?:[.,]\d{1,9})?(?![\w:])/g;
const ADDRESS =
  /(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)|(?<![\w:])(?:[0-9a-f]{1,4}:){2,7}[0-9a-f]{0,4}(?![\w:])/gi;
/**
 * IPv6 as RFC 4291 writes it, whole or with one `::`. Node puts a port behind the address of a failed call, without
 * brackets.
 */
const ADDRESS_6 =
  /(?<![\w:.])(?=:{0,2}[0-9a-f])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?::\d{1,5})?|(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,7})?)(?![\w:])/gi;
const ERRNO_BEFORE = /\bE[A-Z]{3,24} $/;
const HEX = /(?<!\w)(?:0x[0-9a-f]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,})(?!\w)/gi;
const ID =
  /(?<![\w.])(?:[A-Za-z]+[_-](?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{6,}|(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{8,})(?!\w)/g;
/** nanoid's 21 letters, digits, dashes and underscores. */
const NANOID = /(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{21}(?![\w-])/g;
/** With its sign where nothing is joined to it, and its exponent. */
const NUMBER = /(?:(?<=^|[\s([{,:=])[-+])?\d+(?:[.,]\d+)*(?:e[+-]?\d{1,3}(?!\w))?/gi;
const PATH = /(?:file:\/\/)?(?<![\w.:/\\])(?:[A-Za-z]:)?[/\\][^\s"'`<>|*?()[\],;]{1,1024}/g;
const ROOT =
  /^(?:file:|[A-Za-z]:|[/\\](?:home|Users|tmp|var|usr|opt|root|private|app|srv|mnt|etc|dev|proc|workspace|builds?|data)[/\\])/;

/**
 * Reduces a message to what it says about the problem: what varies from one occurrence to the next — ids, numbers,
 * times,
 * paths, quoted texts — becomes a placeholder. Host names, HTTP statuses and quoted identifiers stay. Give it no
 * secrets.
 */
export function messageTemplate(message: string): string {
  const kept: string[] = [];
  const hold = (text: string) => `\ue000${String.fromCharCode(0xe001 + ((kept.push(text) - 1) % 0x1800))}`;
  return message
    .slice(0, MAX_INPUT)
    .replace(/[\ue000-\uf8ff]/g, "")
    .replace(/\[redacted(?::[\w-]+)?\]/g, () => hold("<secret>"))
    .replace(
      /"([^"\n]{0,1024})"|'([^'\n]{0,1024})'|`([^`\n]{0,1024})`/g,
      (all: string, ...texts: (string | undefined)[]) => quoted(all, texts[0] ?? texts[1] ?? texts[2] ?? "", hold),
    )
    .replace(UUID, () => hold("<id>"))
    .replace(TIME, () => hold("<time>"))
    .replace(PATH, (path) => shortPath(path, hold))
    .replace(
      ADDRESS_6,
      (address, at: number, all: string) =>
        `${hold("<ip>")}${ERRNO_BEFORE.test(all.slice(Math.max(0, at - 32), at)) && /:\d+$/.test(address) ? `:${hold("<n>")}` : ""}`,
    )
    .replace(KEPT, hold)
    .replace(ADDRESS, () => hold("<ip>"))
    .replace(NANOID, (id) => (looksMixed(id) ? hold("<id>") : id))
    .replace(HEX, () => hold("<n>"))
    .replace(ID, (id) => `${/^[A-Za-z]+[_-]/.exec(id)?.[0] ?? ""}${hold("<id>")}`)
    .replace(NUMBER, () => hold("<n>"))
    .replace(/\ue000([\ue001-\uf8ff])/g, (_, mark: string) => kept[mark.charCodeAt(0) - 0xe001] ?? "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, MAX_LENGTH)
    .toWellFormed();
}

/** Case and digits change all the time, as they do in no name that a person made up. */
function looksMixed(text: string): boolean {
  const kinds = [...text.replace(/[_-]/g, "")].map((char) => (/\d/.test(char) ? 0 : /[a-z]/.test(char) ? 1 : 2));
  return kinds.filter((kind, at) => at > 0 && kind !== kinds[at - 1]).length >= kinds.length * 0.36;
}

function quoted(all: string, text: string, hold: (text: string) => string): string {
  if (isIdentifier(text)) return all;
  if (/^(?:file:|[A-Za-z]:)?[/\\]/.test(text)) return `${all[0]}${shortPath(text, hold)}${all[0]}`;
  return hold("<text>");
}

/** A quoted word is a column, a property, a flag: it says what the problem is. A quoted sentence is somebody's data. */
function isIdentifier(text: string): boolean {
  return text.length <= 64 && /^[A-Za-z_$@][\w$.:@/-]*$/.test(text);
}

/** A file keeps its name; a route keeps its words and gets its ids replaced by the steps that follow. */
function shortPath(path: string, hold: (text: string) => string): string {
  const base = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  const isFile = ROOT.test(path) || /\.[A-Za-z]{1,5}(?::\d+)*$/.test(base);
  return isFile ? `${hold("<path>/")}${base}` : path;
}
