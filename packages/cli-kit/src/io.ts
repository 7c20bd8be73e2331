import { setTimeout as wait } from "node:timers/promises";

/** The world outside a command line; tests pass their own. */
export interface Io {
  /** Writes to standard output as it stands. Commands write through {@link Output} instead. */
  out(text: string): void;
  /** Writes to standard error as it stands. */
  err(text: string): void;
  /** Whether standard output is a terminal that can be redrawn. */
  readonly terminal: boolean;
  /** Whether standard error is one: progress bars go there. */
  readonly progressTerminal: boolean;
  /** Whether standard output shows colours. */
  readonly colour: boolean;
  /** The terminal's size at this moment, in characters. */
  size(): { readonly columns: number; readonly rows: number };
  /** Aborts when the person or the system asks the command to end. */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
  /** Resolves after so many milliseconds, or when the signal aborts. */
  sleep(ms: number): Promise<void>;
}

/** The {@link Io} of this process. It reads the environment: `NO_COLOR` and `TERM=dumb` switch colours off. */
export function ioFromProcess(signal: AbortSignal): Io {
  const { stdout, stderr, env } = process;
  const terminal = stdout.isTTY === true;
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    terminal,
    progressTerminal: stderr.isTTY === true,
    colour: terminal && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb",
    size: () => ({ columns: stdout.columns ?? 120, rows: stdout.rows ?? Infinity }),
    signal,
    env,
    fetch,
    sleep: (ms) => wait(ms, undefined, { signal }).catch(() => undefined),
  };
}
