const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** A colour, or a weight. */
export type Colour = keyof typeof codes;

/** Colours text, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

/** @param on - whether anybody sees colours */
export function createPaint(on: boolean): Paint {
  return on ? (colour, text) => (text === "" ? "" : `\u001b[${codes[colour]}m${text}\u001b[0m`) : (_, text) => text;
}

// eslint-disable-next-line no-control-regex -- these are the codes that createPaint writes
const PAINTED = /\u001b\[\d+m/g;

/** How many columns a text takes. */
export const widthOf = (text: string): number => text.replace(PAINTED, "").length;

/** The text, cut to so many columns; colours count nothing. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let [out, shown] = ["", 0];
  // eslint-disable-next-line no-control-regex -- as above
  for (const piece of text.split(/(\u001b\[\d+m)/)) {
    if (piece.startsWith("\u001b[")) {
      out += piece;
      continue;
    }
    out += piece.slice(0, Math.max(0, columns - 1 - shown));
    shown += piece.length;
    if (shown >= columns) break;
  }
  return `${out}…${text.includes("\u001b[") ? "\u001b[0m" : ""}`;
}

/** Rows as an aligned table; a column whose heading begins with `>` is set to the right. */
export function table(rows: readonly (readonly string[])[], paint: Paint = (_, text) => text): string {
  const right = rows[0]?.map((cell) => cell.startsWith(">")) ?? [];
  const cells = rows.map((row, at) => (at === 0 ? row.map((cell) => cell.replace(/^>/, "")) : row));
  const widths = cells.reduce<number[]>(
    (most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, widthOf(cell))),
    [],
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => {
        const gap = " ".repeat(widths[at]! - widthOf(cell));
        return right[at] === true ? `${gap}${cell}` : `${cell}${gap}`;
      })
      .join("  ")
      .trimEnd();
  return cells.map((row, at) => (at === 0 ? paint("dim", line(row)) : line(row))).join("\n");
}
