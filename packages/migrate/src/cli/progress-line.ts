import type { Streams } from "./run-command.ts";

const WIDTH = 28;
const REDRAW_MS = 100;

/** A bar with the time that is left on a terminal; a JSON line now and then elsewhere; nothing for `--json`. */
export function progressLine(what: string, streams: Streams, quiet: boolean) {
  const started = performance.now();
  let drawn = 0;
  let open = false;
  return {
    update(done: number, total: number): void {
      const now = performance.now();
      if (quiet || (now - drawn < REDRAW_MS && done < total)) return;
      if (!streams.isTerminal) {
        // Where nobody watches, each tenth is enough.
        if (done < total && Math.floor((done * 10) / total) === Math.floor(((done - 1) * 10) / total)) return;
        return streams.err(`${JSON.stringify({ command: what, done, total })}\n`);
      }
      drawn = now;
      open = true;
      const full = Math.round((done / Math.max(1, total)) * WIDTH);
      const left = Math.ceil((((now - started) / done) * (total - done)) / 1000);
      streams.err(`\r${what} ${"█".repeat(full)}${"░".repeat(WIDTH - full)} ${done}/${total}, ${left} s left \x1b[K`);
    },
    end(): void {
      if (open) streams.err("\n");
      open = false;
    },
  };
}
