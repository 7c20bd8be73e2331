/** What a command may touch; tests pass their own. */
export interface CliIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly fetch: typeof fetch;
  /** From the environment. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** Whether `out` is a terminal that can be redrawn. */
  readonly terminal: boolean;
  /** Whether `out` shows colours. */
  readonly colour: boolean;
  /** Of the terminal, now: it may be resized. */
  readonly size: () => { readonly columns: number; readonly rows: number };
  /** Aborts when the person is done. */
  readonly signal: AbortSignal;
  readonly sleep: (ms: number) => Promise<void>;
}

/** How a command ends: 0 done, 1 refused or a verdict that says no, 2 not understood, 3 not reached or not let in. */
export type ExitCode = 0 | 1 | 2 | 3;

/**
 * Reads `HEBRA_FLAGS_URL`, `HEBRA_FLAGS_TOKEN`, `NO_COLOR` and `TERM`: the only place where this command line looks at
 * the environment.
 */
export function fromEnvironment(variables: Readonly<Record<string, string | undefined>> = process.env): {
  readonly url: string | undefined;
  readonly token: string | undefined;
  readonly plain: boolean;
} {
  return {
    url: variables["HEBRA_FLAGS_URL"],
    token: variables["HEBRA_FLAGS_TOKEN"],
    plain: (variables["NO_COLOR"] ?? "") !== "" || variables["TERM"] === "dumb",
  };
}
