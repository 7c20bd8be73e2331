/** One line of a stack, without what differs between machines and builds. */
export interface StackFrame {
  /** For people: `save (store)`. */
  label: string;
  /** For hashing: the function's name, or the file's where the function has none. */
  identity: string;
}

const MAX_FRAMES = 3;
const MAX_LINES = 60;

/**
 * The topmost frames of an error's stack outside Node itself, in V8's format.
 * Bundlers move functions into chunks and number those whose names collide: so a named function is known by its name
 * alone, without
 * a trailing number, and a file by its base name without its extension.
 */
export function stackFrames(error: unknown, redactText: (text: string) => string): StackFrame[] {
  const frames: StackFrame[] = [];
  for (const line of stackLines(error)) {
    const frame = parse(line);
    if (frame === undefined) continue;
    frames.push({ label: redactText(frame.label), identity: redactText(frame.identity) });
    if (frames.length === MAX_FRAMES) break;
  }
  return frames;
}

function stackLines(error: unknown): string[] {
  try {
    const { stack, message } = error as { stack?: unknown; message?: unknown };
    if (typeof stack !== "string") return [];
    // A message may hold lines that look like frames.
    const at = typeof message === "string" && message !== "" ? stack.indexOf(message) : -1;
    const body = at === -1 ? stack : stack.slice(at + String(message).length);
    return body
      .slice(0, 32_768)
      .split("\n", MAX_LINES)
      .filter((line) => /^\s{1,8}at /.test(line));
  } catch {
    return [];
  }
}

function parse(line: string): StackFrame | undefined {
  const text = line
    .trim()
    .slice(3, 1_024)
    .replace(/^async /, "");
  if (/(?:\(|^)(?:node:|native\b|<anonymous>|index \d)/.test(text) || /[/\\]node:internal[/\\]/.test(text))
    return undefined;
  const open = text.lastIndexOf(" (");
  const name = open === -1 ? "" : functionName(text.slice(0, open));
  const file = fileName(open === -1 ? text : text.slice(open + 2).replace(/\)$/, ""));
  if (name === "") return file === "" ? undefined : { label: `(${file})`, identity: `(${file})` };
  return { label: file === "" ? name : `${name} (${file})`, identity: name };
}

function functionName(text: string): string {
  const last =
    text
      .replace(/ \[as [^\]]{0,256}\]$/, "")
      .replace(/^new /, "")
      .split(".")
      .at(-1) ?? "";
  const plain = last.replace(/[<>]/g, "");
  return plain === "anonymous" || plain === "" ? "" : plain.replace(/(?<=[A-Za-z_$])\d+$/, "");
}

function fileName(location: string): string {
  const path = location.replace(/(?::\d+){1,2}$/, "").replace(/[?#].*$/, "");
  const base = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  return base.replace(/\.(?:[cm]?[jt]sx?)$/, "").replace(/[-.][A-Z0-9]{8}$/, "");
}
