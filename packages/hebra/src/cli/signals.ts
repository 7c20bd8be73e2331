/** The number of a signal that ends a process, as shells tell it: 128 and the signal's own. */
const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * The first signal ends the work in order; the second gives up at once.
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
