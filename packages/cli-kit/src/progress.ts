import type { Io } from "./io.ts";

const WIDTH = 28;
const REDRAW_MS = 100;

/** A bar with the remaining time on a terminal; elsewhere a JSON line at each tenth. */
export interface Progress {
  update(done: number, total: number): void;
  end(): void;
}

export function progressOn(io: Io, what: string, quiet: boolean): Progress {
  const started = performance.now();
  let drawn = 0;
  let open = false;
  return {
    update(done, total) {
      const now = performance.now();
      if (quiet || (now - drawn < REDRAW_MS && done < total)) return;
      if (!io.progressTerminal) {
        if (done < total && Math.floor((done * 10) / total) === Math.floor(((done - 1) * 10) / total)) return;
        return io.err(`${JSON.stringify({ command: what, done, total })}\n`);
      }
      drawn = now;
      open = true;
      const full = Math.round((done / Math.max(1, total)) * WIDTH);
      const left = Math.ceil((((now - started) / done) * (total - done)) / 1000);
      io.err(`\r${what} ${"█".repeat(full)}${"░".repeat(WIDTH - full)} ${done}/${total}, ${left} s left \u001b[K`);
    },
    end() {
      if (open) io.err("\n");
      open = false;
    },
  };
}
