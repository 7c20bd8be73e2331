import { escapeControls } from "@hebra/core";
import type { Io } from "./io.ts";
import { render } from "./paint.ts";
import { progressOn, type Progress } from "./progress.ts";
import { screenOn, type Screen } from "./screen.ts";

/** Where a command writes. Nothing that it writes reaches a terminal unescaped. */
export interface Output {
  /** Results for people, a line or several, on standard output. */
  print(text: string): void;
  /** One JSON value on a line of standard output. */
  json(value: object): void;
  /** Remarks for people, on standard error. */
  note(text: string): void;
  /** Lines that are JSON already, such as a logger's, on standard error. */
  log(line: string): void;
  /** A bar on standard error. @param quiet - draws nothing, as for `--json` */
  progress(what: string, quiet: boolean): Progress;
  /** A live view on the terminal's second screen. */
  screen(): Screen;
}

export function createOutput(io: Io): Output {
  return {
    print: (text) => io.out(`${render(text, io.colour)}\n`),
    json: (value) => io.out(`${escapeControls(JSON.stringify(value))}\n`),
    note: (text) => io.err(`${render(text, false)}\n`),
    log: (line) => io.err(`${escapeControls(line.replace(/\n$/, ""))}\n`),
    progress: (what, quiet) => progressOn(io, what, quiet),
    screen: () => screenOn(io),
  };
}
