import type { LeasePort, ThreadStore } from "@hebra/thread";

/** The places where a process can be made to end. */
export interface Points {
  /** Passes a point; at the chosen one the process goes no further. */
  reach(label: string): void;
  /** The same store, with points before, during and after each write. */
  store(store: ThreadStore): ThreadStore;
  /**
   * The same store, with points also where a lease is taken or given back. Renewals come by the clock, and are none.
   */
  leases(store: ThreadStore): ThreadStore;
  /** Resolves when results of actions were first written. */
  readonly resultsWritten: Promise<void>;
}

/**
 * @param options - `stopAt`: the label at which to stop; `signal`: how; `passed`: told of every point; `stopped`: told
 * just before the end; `refused`: told of writes that the store throws back.
 */
export function createPoints(options: {
  stopAt: string | undefined;
  signal: "SIGKILL" | "SIGSTOP";
  passed(label: string): void;
  stopped(label: string): void;
  refused(label: string, error: unknown): void;
}): Points {
  const counts = new Map<string, number>();
  let settled = () => {};
  const resultsWritten = new Promise<void>((resolve) => (settled = resolve));

  function reach(label: string): void {
    options.passed(label);
    if (label !== options.stopAt) return;
    options.stopped(label);
    process.kill(process.pid, options.signal);
    // The signal is delivered before this process runs on; a paused one goes on here when it is woken.
    if (options.signal === "SIGKILL") for (;;);
  }

  async function write<T>(verb: string, work: () => Promise<T>): Promise<T> {
    const number = (counts.get(verb) ?? 0) + 1;
    counts.set(verb, number);
    reach(`${verb} ${number} before`);
    const pending = work();
    // Whether the write lands is up to the database: the process is gone while it is on its way.
    reach(`${verb} ${number} during`);
    const result = await pending.catch((error: unknown) => {
      options.refused(`${verb} ${number}`, error);
      throw error;
    });
    reach(`${verb} ${number} after`);
    return result;
  }

  return {
    reach,
    resultsWritten,
    store: (store) => ({
      ...store,
      begin: (tenant, begin) => write("begin", () => store.begin(tenant, begin)),
      takeOver: (tenant, contextId, fence) => write("takeOver", () => store.takeOver(tenant, contextId, fence)),
      async commit(tenant, contextId, guard, changes) {
        const committed = await write("commit", () => store.commit(tenant, contextId, guard, changes));
        if (changes.calls?.some(({ status }) => status === "succeeded") === true) settled();
        return committed;
      },
      decideApproval: (tenant, approvalId, decision) =>
        write("decideApproval", () => store.decideApproval(tenant, approvalId, decision)),
      requestCancel: (tenant, executionId, request) =>
        write("requestCancel", () => store.requestCancel(tenant, executionId, request)),
      import: (tenant, bundle) => write("import", () => store.import(tenant, bundle)),
    }),
    leases(store) {
      const port = store.leases!;
      const request: LeasePort["request"] = (key, asked) =>
        asked.ask === "take" || asked.ask === "release"
          ? write(`${asked.ask}Lease`, () => port.request(key, asked))
          : port.request(key, asked);
      return { ...store, leases: { ...port, request } };
    },
  };
}
