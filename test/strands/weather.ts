import { HebraError, type ManualClock } from "@hebra/core";
import type { Lease, LockManager } from "@hebra/lock";
import type { SystemStore, ThreadStore } from "@hebra/thread";
import type { StruckVerb } from "./plan.ts";

/** What a store and its locks are made to go through, and what was seen of the store. */
export interface Weather {
  readonly store: ThreadStore;
  readonly locks: LockManager;
  storeAway(ms: number): void;
  locksAway(ms: number): void;
  fail(
    verb: StruckVerb,
    options: { times: number; code: "UNREACHABLE" | "STORE_BUSY" | "STORE_FAILED"; wrote: boolean },
  ): void;
  slow(verb: StruckVerb, options: { times: number; ms: number }): void;
  loseLeases(): void;
  /** All is well from now on, and answers that were held back come. */
  clear(): void;
  /** Resolves when the real store has answered every call that was made of it. */
  quiet(): Promise<void>;
  /** The keys of calls whose success is in the store. */
  readonly succeeded: ReadonlySet<string>;
  /** The steps whose answer is in the store. */
  readonly answered: ReadonlySet<string>;
}

interface Fault {
  verb: string;
  left: number;
  strike(work: () => Promise<unknown>): Promise<unknown>;
}

const verbs = [
  "begin",
  "commit",
  "takeOver",
  "requestCancel",
  "decideApproval",
  "load",
  "execution",
  "history",
  "journal",
  "stateAt",
  "approval",
  "fork",
] as const;
const systemVerbs = ["sweep", "due"] as const;

/** @param under - the real store and locks */
export function createWeather(under: { store: ThreadStore; locks: LockManager; clock: ManualClock }): Weather {
  const { clock } = under;
  const succeeded = new Set<string>();
  const answered = new Set<string>();
  let faults: Fault[] = [];
  let [awayUntil, locksAwayUntil] = [0, 0];
  const isAway = () => clock.now() < awayUntil;
  const heldBack = new Set<() => void>();
  let busy = 0;
  let wake = () => {};

  const unreachable = (what: string) => new HebraError("UNREACHABLE", `The database has not answered: ${what}.`);

  async function real(call: () => Promise<unknown>): Promise<unknown> {
    busy++;
    try {
      return await call();
    } finally {
      if (--busy === 0) wake();
    }
  }

  async function run(verb: string, call: () => Promise<unknown>): Promise<unknown> {
    if (isAway()) throw unreachable(verb);
    const fault = faults.find((one) => one.verb === verb && one.left > 0);
    if (fault !== undefined) fault.left--;
    const answer = await (fault === undefined ? real(call) : fault.strike(() => real(call)));
    if (isAway()) throw unreachable(`${verb} lost its answer`);
    return answer;
  }

  const store = Object.create(under.store) as ThreadStore;
  for (const verb of verbs) {
    const call = under.store[verb].bind(under.store) as (...args: unknown[]) => Promise<unknown>;
    Object.defineProperty(store, verb, {
      value: (...args: unknown[]) =>
        run(verb, async () => {
          const done = await call(...args);
          if (verb === "commit") note(args[3] as Parameters<ThreadStore["commit"]>[3]);
          return done;
        }),
    });
  }
  Object.defineProperty(store, "system", {
    value: (): SystemStore => {
      const system = under.store.system();
      const struck = systemVerbs.map((verb) => [
        verb,
        (options: never) => run(verb, () => system[verb](options) as Promise<unknown>),
      ]);
      return { ...system, ...(Object.fromEntries(struck) as Pick<SystemStore, "sweep" | "due">) };
    },
  });

  function note({ calls = [], steps = [] }: Parameters<ThreadStore["commit"]>[3]): void {
    for (const { status, idempotencyKey } of calls) if (status === "succeeded") succeeded.add(idempotencyKey);
    for (const { id, finishReason } of steps) if (finishReason !== null) answered.add(id);
  }

  /** What locks that are kept in a store, or on a server of their own, may be refused with. */
  const lockCodes = ["UNREACHABLE", "STORE_BUSY", "STORE_FAILED", "TIMEOUT"] as const;
  let asked = 0;
  const held = new Set<{ lose(): void }>();
  const locks: LockManager = {
    ...under.locks,
    async acquire(key, options) {
      if (clock.now() < locksAwayUntil)
        throw new HebraError(lockCodes[asked++ % lockCodes.length]!, `The locks failed: ${key}.`, { retryable: true });
      const lease = await under.locks.acquire(key, options);
      return losable(lease, held);
    },
    seed: (key, fence) => under.locks.seed(key, fence),
    close: () => under.locks.close(),
  };

  return {
    store,
    locks,
    succeeded,
    answered,
    storeAway: (ms) => void (awayUntil = clock.now() + ms),
    locksAway: (ms) => void (locksAwayUntil = clock.now() + ms),
    fail: (verb, { times, code, wrote }) =>
      void faults.push({
        verb,
        left: times,
        async strike(work) {
          if (wrote) await work();
          throw new HebraError(code, `The database failed: ${verb}.`, { retryable: true });
        },
      }),
    slow: (verb, { times, ms }) =>
      void faults.push({
        verb,
        left: times,
        async strike(work) {
          const answer = await work();
          await new Promise<void>((resolve) => {
            heldBack.add(resolve);
            clock.after(ms, resolve);
          });
          return answer;
        },
      }),
    loseLeases() {
      for (const lease of held) lease.lose();
    },
    clear() {
      faults = [];
      awayUntil = locksAwayUntil = 0;
      for (const release of heldBack) release();
    },
    async quiet() {
      for (;;) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        if (busy === 0) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

/** A lease that is taken from its holder as by a server that let it expire. */
function losable(lease: Lease, held: Set<{ lose(): void }>): Lease {
  const life = new AbortController();
  const entry = {
    lose() {
      held.delete(entry);
      life.abort(new HebraError("LOCK_LOST", `The lease of ${lease.key} was not renewed in time.`));
      void lease.release();
    },
  };
  held.add(entry);
  lease.signal.addEventListener("abort", () => life.abort(lease.signal.reason), { once: true });
  return {
    key: lease.key,
    fence: lease.fence,
    signal: life.signal,
    extend: (ttlMs) => lease.extend(ttlMs),
    release() {
      held.delete(entry);
      return lease.release();
    },
  };
}
