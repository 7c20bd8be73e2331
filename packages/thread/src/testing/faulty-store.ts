import { HebraError } from "@hebra/core";
import type { ThreadStore } from "../store/store.ts";

/** The verbs that write, whose failures an engine has to survive. */
export const storeWrites = [
  "begin",
  "commit",
  "takeOver",
  "requestCancel",
  "decideApproval",
  "fork",
  "deleteThread",
  "setClosed",
  "announceImport",
  "import",
] as const;
/** The verbs that only read. */
const storeReads = ["load", "execution", "history", "journal", "stateAt", "approval", "list", "export"] as const;

/** A verb that a fault may befall. */
export type StoreVerb = (typeof storeWrites)[number] | (typeof storeReads)[number];

/** What goes wrong, and when. */
export interface StoreFault {
  /** @defaultValue any verb that writes */
  verb?: StoreVerb;
  /** Which call of the verb is the first to be befallen; counts from 1. */
  at: number;
  /** How many calls in a row. @defaultValue 1 */
  times?: number;
  /**
   * - `before`: throws, and nothing was written.
   * - `after`: throws although it was written: the answer was lost on the way.
   * - `stall`: does nothing until `release`, and then goes on as if nothing had been.
   */
  mode: "before" | "after" | "stall";
  /** What is thrown. @defaultValue a retryable `STORE_FAILED` */
  error?: () => Error;
}

/** A store with faults. */
export interface FaultyStore extends ThreadStore {
  /** Every call so far, in order. */
  readonly calls: readonly StoreVerb[];
  /** The calls that a fault has befallen, e.g. `commit 3 after`. */
  readonly struck: readonly string[];
  /** Resolves when a call stalls. */
  readonly stalled: Promise<void>;
  /** Lets every stalled call go on. */
  release(): void;
}

/**
 * A store whose calls fail where they are told to: for tests of what stands on a store. Everything else passes through.
 *
 * @throws HebraError `INVALID_OPTIONS` for a fault before the first call.
 *
 * @example
 * ```ts
 * import { memoryStore } from "@hebra/thread/store/memory";
 * import { faultyStore } from "@hebra/thread/testing";
 *
 * // The answer of the second commit is lost on its way back.
 * const store = faultyStore(memoryStore(), { verb: "commit", at: 2, mode: "after" });
 * console.log(store.struck); // []
 * ```
 */
export function faultyStore(store: ThreadStore, faults: StoreFault | readonly StoreFault[]): FaultyStore {
  const all = Array.isArray(faults) ? (faults as readonly StoreFault[]) : [faults as StoreFault];
  for (const { at, times = 1 } of all) {
    if (!Number.isSafeInteger(at) || at < 1 || !Number.isSafeInteger(times) || times < 1) {
      throw new HebraError("INVALID_OPTIONS", "faultyStore: `at` and `times` are whole numbers from 1 on.");
    }
  }
  const calls: StoreVerb[] = [];
  const struck: string[] = [];
  const gate = deferred();
  const stalled = deferred();

  const count = (verb: StoreVerb | undefined) =>
    calls.filter((made) => (verb === undefined ? isWrite(made) : made === verb)).length;

  async function run(verb: StoreVerb, work: () => Promise<unknown>): Promise<unknown> {
    calls.push(verb);
    const fault = all.find((one) => {
      if (one.verb === undefined ? !isWrite(verb) : one.verb !== verb) return false;
      const number = count(one.verb);
      return number >= one.at && number < one.at + (one.times ?? 1);
    });
    if (fault === undefined) return work();
    struck.push(`${verb} ${count(verb)} ${fault.mode}`);
    if (fault.mode === "stall") {
      stalled.resolve();
      await gate.promise;
      return work();
    }
    if (fault.mode === "after") await work();
    throw (
      fault.error?.() ??
      new HebraError(
        "STORE_FAILED",
        `A planted fault: ${verb} ${fault.mode === "after" ? "wrote, and its answer was lost" : "did nothing"}.`,
        { retryable: true },
      )
    );
  }

  const wrapped = Object.fromEntries(
    [...storeWrites, ...storeReads].map((verb) => [
      verb,
      (...args: unknown[]) => run(verb, () => (store[verb] as (...given: unknown[]) => Promise<unknown>)(...args)),
    ]),
  ) as unknown as Pick<ThreadStore, StoreVerb>;
  return {
    ...store,
    name: store.name,
    scope: store.scope,
    ...wrapped,
    watch: (tenant, contextId, onInbox) => store.watch(tenant, contextId, onInbox),
    system: () => store.system(),
    close: () => store.close(),
    calls,
    struck,
    stalled: stalled.promise,
    release: () => gate.resolve(),
  };
}

function isWrite(verb: StoreVerb): boolean {
  return (storeWrites as readonly string[]).includes(verb);
}

function deferred(): { promise: Promise<void>; resolve(): void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve: () => resolve() };
}
