import { escapeControls } from "@hebra/core";

/**
 * A text in which whatever would move the cursor, change colours or reorder words is shown escaped. Line breaks stay,
 * and a tab is four spaces.
 */
export function printable(text: string): string {
  return escapeControls(text.replaceAll("\r\n", "\n").replaceAll("\t", "    "), "\n");
}

/**
 * The rows that a text takes on a screen, each as it stands there. What is wide in East Asian scripts takes two
 * columns, what
 * is set above or below a letter none.
 *
 * Source: Unicode Standard Annex 11 (wide and fullwidth ranges), in blocks.
 */
export function rowsOf(text: string, columns: number): string[] {
  return text.split("\n").flatMap((line) => {
    const rows: string[] = [];
    let row = "";
    let width = 0;
    for (const character of line) {
      const own = widthOf(character);
      if (width + own > columns) {
        rows.push(row);
        [row, width] = ["", 0];
      }
      row += character;
      width += own;
    }
    return [...rows, row];
  });
}

const wide: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
];

function widthOf(character: string): number {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(character)) return 0;
  return wide.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}
