/**
 * C0, DEL and C1 controls, line and paragraph separators, characters that change the direction of text, and invisible
 * ones. The zero-width joiner is not among them: emoji and several scripts need it.
 */
const UNSAFE =
  // eslint-disable-next-line no-control-regex -- controls are what this is about
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Shows what a terminal or a log viewer would act on instead of displaying: escape sequences, line breaks, characters
 * that reorder the text around them. Each becomes `\n`, `\r`, `\t` or `\uXXXX`, so JSON stays the same JSON. Use it for
 * text of others: names, ids, reasons, messages of a server. Escaping twice changes nothing more.
 *
 * @param keep - characters to leave as they are, such as `"\n"`. @defaultValue none
 *
 * @example
 * ```ts
 * import { escapeControls } from "@hebra/core";
 *
 * console.log(escapeControls("\u001b[31mred\u202e")); // prints: \u001b[31mred\u202e
 * ```
 */
export function escapeControls(text: string, keep = ""): string {
  return text.replaceAll(UNSAFE, (character) =>
    keep.includes(character)
      ? character
      : (short[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
}
