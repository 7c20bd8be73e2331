/** A reply that is larger than one message of the bus comes in pieces: joined in order, they are its text. */
export interface ReplyPiece {
  /** From 0. */
  index: number;
  count: number;
}

/**
 * Cuts a text into pieces whose JSON takes at most so many bytes, at white space where there is some in the second half
 * of a piece. Nothing is left out: joined, the pieces are the text.
 */
export function cutByBytes(text: string, maxBytes: number): string[] {
  // A UTF-16 unit takes six bytes at most, as an escape.
  if (text.length * 6 <= maxBytes) return [text];
  const found: string[] = [];
  let start = 0;
  let bytes = 0;
  let blank = -1;
  for (let at = 0; at < text.length;) {
    const width = text.codePointAt(at)! > 0xffff ? 2 : 1;
    const size = bytesOf(text.charCodeAt(at), width);
    if (bytes + size > maxBytes && at > start) {
      const end = blank > start + (at - start) / 2 ? blank : at;
      found.push(text.slice(start, end));
      [start, at, bytes, blank] = [end, end, 0, -1];
      continue;
    }
    bytes += size;
    at += width;
    if (text[at - 1] === " " || text[at - 1] === "\n") blank = at;
  }
  return [...found, text.slice(start)];
}

/** Bytes of one character inside a JSON string. */
function bytesOf(unit: number, width: number): number {
  if (width === 2) return 4;
  if (unit === 34 || unit === 92) return 2;
  if (unit < 32) return 6;
  if (unit < 0x80) return 1;
  if (unit >= 0xd800 && unit <= 0xdfff) return 6;
  return unit < 0x800 ? 2 : 3;
}
