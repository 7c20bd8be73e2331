import { randomBytes } from "node:crypto";
import { escapeControls } from "@hebra/core";

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** A colour, or a weight. */
export type Colour = keyof typeof codes;

/**
 * Colours are marks around a text until it is written. Text of others cannot forge a mark, because its middle is random
 * in each process; so everything else that a terminal would act on can be escaped at the last moment, in one place.
 */
const nonce = randomBytes(8).toString("hex");
const mark = (code: number): string => `\ue000${nonce}:${code}\ue001`;
const MARK = new RegExp(`\ue000${nonce}:(\\d+)\ue001`, "g");
const PIECES = new RegExp(`(\ue000${nonce}:\\d+\ue001)`);

/** Colours a text where colours are shown. */
export const paint = (colour: Colour, text: string): string =>
  text === "" ? "" : `${mark(codes[colour])}${text}${mark(0)}`;

/** A text as a terminal gets it: everything that it would act on is escaped except line breaks and our own colours. */
export function render(text: string, colour: boolean): string {
  return escapeControls(text, "\n").replaceAll(MARK, (_, code: string) => (colour ? `\u001b[${code}m` : ""));
}

/** Text of others on one line: line breaks are escaped too. */
export const oneLine = (text: string): string => escapeControls(text);

/** The same value with all its text on one line each, property names included. */
export function oneLineAll<T>(value: T): T {
  if (typeof value === "string") return oneLine(value) as T;
  if (Array.isArray(value)) return value.map(oneLineAll) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [oneLine(key), oneLineAll(one as unknown)])) as T;
}

/** How many columns a text takes. */
export const widthOf = (text: string): number => oneLine(text.replaceAll(MARK, "")).length;

/** A line of at most so many columns; colours count nothing. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let [out, shown, coloured] = ["", 0, false];
  for (const piece of text.split(PIECES)) {
    if (piece.startsWith(`\ue000${nonce}`)) {
      [out, coloured] = [out + piece, true];
      continue;
    }
    const plain = oneLine(piece);
    // Half of a surrogate pair would be shown as an escape, which is wider.
    out += plain.slice(0, Math.max(0, columns - 1 - shown)).replace(/[\ud800-\udbff]$/, "");
    shown += plain.length;
    if (shown >= columns) break;
  }
  return `${out}…${coloured ? mark(0) : ""}`;
}

/** Rows as an aligned table with a dim heading. A column whose heading begins with `>` is aligned to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const right = rows[0]?.map((cell) => cell.startsWith(">")) ?? [];
  const cells = rows.map((row, at) => row.map((cell) => (at === 0 ? cell.replace(/^>/, "") : oneLine(cell))));
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
