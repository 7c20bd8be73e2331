import type { JsonValue } from "@hebra/core";

/** Mends text that comes in pieces. */
export interface TextMender {
  /** The piece, well-formed: half of a surrogate pair at its end is kept back for the next piece. */
  push(piece: string): string;
  /** What is still kept back, when no piece follows. */
  end(): string;
}

/**
 * Models stream tokens, and a token may end in the middle of a character outside the basic plane. Every piece must be a
 * well-formed string all the same, because it is stored and sent as JSON. A half without its other half becomes U+FFFD.
 */
export function createTextMender(): TextMender {
  let kept = "";
  return {
    push(piece) {
      if (kept === "" && piece.isWellFormed()) return piece;
      let text = kept + piece;
      kept = "";
      const last = text.charCodeAt(text.length - 1);
      if (last >= 0xd800 && last <= 0xdbff) {
        kept = text.slice(-1);
        text = text.slice(0, -1);
      }
      return text.toWellFormed();
    },
    end() {
      const rest = kept;
      kept = "";
      return rest.toWellFormed();
    },
  };
}

/** The same JSON with every string and key well-formed; the value itself when it is so already. */
export function wellFormedJson(value: JsonValue): JsonValue {
  if (typeof value === "string") return value.isWellFormed() ? value : value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const mended = value.map(wellFormedJson);
    return mended.some((member, i) => member !== value[i]) ? mended : value;
  }
  const entries = Object.entries(value).map(([key, member]) => [key.toWellFormed(), wellFormedJson(member)] as const);
  return entries.some(([key, member]) => !Object.hasOwn(value, key) || value[key] !== member)
    ? Object.fromEntries(entries)
    : value;
}
