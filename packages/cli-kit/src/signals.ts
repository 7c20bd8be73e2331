/** The exit code of a process that a signal ends, as shells report it: 128 and the signal's number. */
const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * The first signal asks the command to end in order; the second one ends the process at once.
 *
 * @param giveUp - ends the process with a code
 */
export function stopOnSignals(process: Pick<NodeJS.Process, "on">, giveUp: (code: number) => void): AbortSignal {
  const stop = new AbortController();
  for (const [name, code] of Object.entries(codes)) {
    process.on(name as keyof typeof codes, () => {
      if (stop.signal.aborted) giveUp(code);
      else stop.abort();
    });
  }
  return stop.signal;
}
