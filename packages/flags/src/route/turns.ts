import { HebraError, type Clock } from "@hebra/core";
import type { Flags } from "../client/create-flags.ts";
import type { FlagContext } from "../evaluate/types.ts";
import type { OnKill } from "./options.ts";

/** A turn that runs. */
export interface RunningTurn {
  readonly engine: "legacy" | "new";
  readonly signal: AbortSignal;
  /** Rejects when the signal aborts: a handler that ignores its signal does not hold the caller. */
  readonly aborted: Promise<never>;
  /** The handler has returned or thrown. */
  ended(): void;
}

/** The turns in flight in this process, by session. */
export interface Turns {
  begin(flag: string, context: FlagContext, engine: "legacy" | "new", outer: AbortSignal | undefined): RunningTurn;
  /** Waits for turns of the other engine, each for at most `deadlineMs` after its cut. */
  boundary(flag: string, context: FlagContext, engine: "legacy" | "new"): Promise<void>;
  close(): void;
}

interface Entry {
  readonly flag: string;
  readonly context: FlagContext;
  readonly engine: "legacy" | "new";
  readonly controller: AbortController;
  readonly done: Promise<void>;
  cutAt: number | undefined;
  cancelTimer: () => void;
}

/** @internal */
export function createTurns(input: {
  readonly flags: Flags;
  readonly clock: Clock;
  readonly onKill: Required<OnKill>;
}): Turns {
  const { flags, clock, onKill } = input;
  const running = new Map<string, Set<Entry>>();
  const keyOf = (flag: string, { session = "", org }: FlagContext) => JSON.stringify([flag, org, session]);

  const cutOff = (entry: Entry, why: string) => {
    entry.controller.abort(
      new HebraError("ABORTED", `The turn on the new engine was cut off: ${why}.`, {
        retryable: true,
        details: { flag: entry.flag },
      }),
    );
  };

  /** Flags moved: a turn on the new engine whose session is cut follows the policy. */
  const onChange = () => {
    for (const entries of running.values()) {
      for (const entry of entries) {
        if (entry.engine === "legacy" || entry.cutAt !== undefined) continue;
        const decision = flags.decide(entry.flag, entry.context, { mode: "new", arm: undefined });
        // The breaker is about turns to come.
        if (decision.mode === "new" || decision.reason === "BREAKER") continue;
        entry.cutAt = clock.monotonic();
        if (onKill.policy === "cancel") cutOff(entry, decision.ruleId);
        else
          entry.cancelTimer = clock.after(onKill.deadlineMs, () =>
            cutOff(entry, `${decision.ruleId}, and the turn was not over within ${onKill.deadlineMs} ms`),
          );
      }
    }
  };
  const unsubscribe = flags.subscribe(({ type }) => {
    if (type === "flags-changed") onChange();
  });

  return {
    begin(flag, context, engine, outer) {
      const controller = new AbortController();
      const { promise: done, resolve } = deferred<void>();
      const { promise: aborted, reject } = deferred<never>();
      aborted.catch(() => {});
      controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
      const passOn = () =>
        controller.abort(new HebraError("ABORTED", "The caller aborted the turn.", { cause: outer?.reason }));
      if (outer?.aborted === true) passOn();
      else outer?.addEventListener("abort", passOn, { once: true });
      const key = keyOf(flag, context);
      const entry: Entry = { flag, context, engine, controller, done, cutAt: undefined, cancelTimer: () => {} };
      let entries = running.get(key);
      if (entries === undefined) running.set(key, (entries = new Set()));
      entries.add(entry);
      return {
        engine,
        signal: controller.signal,
        aborted,
        ended() {
          outer?.removeEventListener("abort", passOn);
          entry.cancelTimer();
          entries.delete(entry);
          if (entries.size === 0 && running.get(key) === entries) running.delete(key);
          resolve();
        },
      };
    },
    async boundary(flag, context, engine) {
      const others = [...(running.get(keyOf(flag, context)) ?? [])].filter((entry) => entry.engine !== engine);
      await Promise.all(others.map((entry) => waitFor(entry, clock, onKill.deadlineMs)));
    },
    close() {
      unsubscribe();
    },
  };
}

async function waitFor(entry: Entry, clock: Clock, deadlineMs: number): Promise<void> {
  const { promise: late, resolve } = deferred<void>();
  const cancel = clock.after(Math.max(0, (entry.cutAt ?? clock.monotonic()) + deadlineMs - clock.monotonic()), resolve);
  await Promise.race([entry.done, late]);
  cancel();
}

/** `Promise.withResolvers`, which Node 20 has not got. */
function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((resolveIt, rejectIt) => {
    resolve = resolveIt;
    reject = rejectIt;
  });
  return { promise, resolve, reject };
}
