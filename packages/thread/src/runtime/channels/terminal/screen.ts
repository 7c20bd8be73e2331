import { clearScreenDown, cursorTo, moveCursor, type Interface } from "node:readline";
import type { Writable } from "node:stream";
import { printable, rowsOf } from "./text.ts";

/** Where lines go, and what may be given to a terminal besides. */
export type TerminalOutput = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** What a person sees. */
export interface Screen {
  /** For good: it scrolls away with the rest. */
  print(text: string): void;
  /** In place of what was shown last, above the line that is being typed. An empty text takes it away. */
  show(text: string): void;
  prompt(name: string): void;
  /** A line was entered: what is shown stands above it now, and stays. */
  entered(): void;
  close(): void;
}

/** Lines alone: for pipes and files. What grows is not shown before it has grown. */
export function plainScreen(output: TerminalOutput): Screen {
  return {
    print: (text) => void output.write(`${printable(text)}\n`),
    show() {},
    prompt() {},
    entered() {},
    close() {},
  };
}

/** A terminal: replies grow in place, and the line that is being typed stays the last one. */
export function liveScreen(output: TerminalOutput, line: Interface): Screen {
  let shown: string[] = [];
  let text = "";

  /** To the beginning of what is shown, and everything from there on away. */
  function erase(): void {
    moveCursor(output, 0, -(line.getCursorPos().rows + shown.length));
    cursorTo(output, 0);
    clearScreenDown(output);
    shown = [];
  }
  function draw(): void {
    if (text === "") return;
    // What has scrolled off the screen could not be taken back: only so much is shown as fits, the end of it.
    const { columns = 80, rows = 24 } = output;
    shown = rowsOf(printable(text), columns).slice(-Math.max(1, rows - 3));
    output.write(`${shown.join("\n")}\n`);
  }

  return {
    print(said) {
      erase();
      output.write(`${printable(said)}\n`);
      draw();
      line.prompt(true);
    },
    show(next) {
      if (next === text) return;
      erase();
      text = next;
      draw();
      line.prompt(true);
    },
    prompt(name) {
      line.setPrompt(`${printable(name)}> `);
      line.prompt(true);
    },
    entered() {
      shown = [];
    },
    close() {
      cursorTo(output, 0);
      clearScreenDown(output);
    },
  };
}
