import type { Io } from "./io.ts";
import { paint, render } from "./paint.ts";

/** The terminal's second screen, without a cursor; the first one comes back at the end. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const LINE_END = "\u001b[K\r\n";
const REST = "\u001b[J";

/** A live view. */
export interface Screen {
  /** Replaces what is shown. Lines must fit the width; lines that do not fit the height are counted instead. */
  draw(lines: readonly string[]): void;
  /** Gives the terminal back. Does nothing when nothing was drawn. */
  leave(): void;
}

export function screenOn(io: Io): Screen {
  let entered = false;
  return {
    draw(lines) {
      const room = io.size().rows - 1;
      const shown =
        lines.length <= room
          ? lines
          : [
              ...lines.slice(0, room - 1),
              paint("dim", `… ${lines.length - room + 1} more lines: enlarge the terminal`),
            ];
      // Line over line: clearing the screen first would flicker.
      const text = shown.map((line) => render(line, io.colour)).join(LINE_END);
      io.out(`${entered ? "" : ENTER}${HOME}${text}${LINE_END}${REST}`);
      entered = true;
    },
    leave() {
      if (entered) io.out(LEAVE);
      entered = false;
    },
  };
}
