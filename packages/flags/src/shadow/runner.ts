import { errorMessage, parseOptions, redactText, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import type { Collector } from "../rollout/collector.ts";
import type { ShadowCounts } from "../rollout/counter-row.ts";
import { noShadow } from "../rollout/counter-row.ts";
import { createComparator, type Comparator, type FieldDifference } from "./comparator.ts";
import { createNoiseModel, type FieldNoise } from "./noise.ts";

/** One turn to be run aside. Everything in it is evaluated off the request's path. */
export interface ShadowTurn<T> {
  readonly flag: string;
  readonly session: string;
  /** The old engine's answer. A clone of it is compared, so that later changes by its owner do not show. */
  readonly answer: T;
  /** Runs the new engine, on a store of its own and with recording ports. */
  readonly next: (signal: AbortSignal) => T | Promise<T>;
  /** Runs the old engine a second time, with recording ports, to measure what it differs from itself. */
  readonly again?: (signal: AbortSignal) => T | Promise<T>;
}

/** A difference worth a look. */
export interface ShadowMismatch {
  readonly flag: string;
  readonly session: string;
  /** ISO 8601 instant. */
  readonly at: string;
  readonly kind: "mismatched" | "onlyNewFailed" | "timedOut";
  /** Sanitised. */
  readonly differences: readonly FieldDifference[];
  readonly error?: string;
}

/** Options of {@link createShadowRunner}. */
export interface ShadowRunnerOptions {
  readonly comparator?: Comparator;
  /** New-engine runs at the same time. @defaultValue 8 */
  readonly maxInFlight?: number;
  /** Turns that wait; beyond it they are dropped and counted. @defaultValue 100 */
  readonly maxQueued?: number;
  /** @defaultValue 2000 */
  readonly timeoutMs?: number;
  /** Share of turns whose old engine runs twice, 0 … 100. @defaultValue 0.5 */
  readonly aaPercent?: number;
  /**
   * Turns whose old engine runs twice before differences are judged: until then, turns that differ are held back and
   * not counted, because nobody knows yet what the old engine does not reproduce itself. @defaultValue 200
   */
  readonly aaLeast?: number;
  /** Mismatches of each kind that are kept. @defaultValue 20 */
  readonly keep?: number;
  /** Counts what is found, for the gate out of shadow. */
  readonly collector?: Pick<Collector, "compared">;
  /** Told of failures of helpers: comparator, clone, collector. Never the caller. @defaultValue nobody */
  readonly onError?: (error: unknown) => void;
  /** Whether the new engine is off in this process. @defaultValue never */
  readonly disabled?: () => boolean;
  /** Uniform in [0, 1), for the A/A sample. @defaultValue `Math.random` */
  readonly random?: () => number;
  readonly clock?: Clock;
}

/** Runs turns aside. */
export interface ShadowRunner {
  /** Takes a turn and returns at once: never waits, never throws. @returns whether it was taken */
  submit<T>(turn: ShadowTurn<T>): boolean;
  counts(): ShadowCounts;
  /** The first mismatches of each kind. */
  mismatches(): readonly ShadowMismatch[];
  fields(): readonly FieldNoise[];
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>;
  /** Aborts what runs and drops what waits. */
  close(): Promise<void>;
}

const fn = <T>() => z.custom<T>((value) => typeof value === "function", "must be a function").optional();
const schema = z.strictObject({
  comparator: z
    .custom<Comparator>((value) => typeof (value as Comparator | null)?.compare === "function", "must have compare()")
    .optional(),
  maxInFlight: z.int().positive().default(8),
  maxQueued: z.int().min(0).default(100),
  timeoutMs: z.number().positive().default(2_000),
  aaPercent: z.number().min(0).max(100).default(0.5),
  aaLeast: z.int().min(0).default(200),
  keep: z.int().min(0).default(20),
  collector: z
    .custom<Pick<Collector, "compared">>(
      (value) => typeof (value as Collector | null)?.compared === "function",
      "must have compared()",
    )
    .optional(),
  onError: fn<(error: unknown) => void>(),
  disabled: fn<() => boolean>(),
  random: fn<() => number>(),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock").optional(),
});

type Ran =
  | { readonly kind: "ok"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "timedOut" };

/**
 * Runs the new engine beside the old one, whose answer was given long since. The queue is bounded, runs have a limit of
 * their own and a timeout; whatever
 * goes wrong here goes to `onError`.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createShadowRunner } from "@hebra/flags/shadow";
 *
 * const shadow = createShadowRunner({ timeoutMs: 1_000 });
 * shadow.submit({ flag: "engine-v2", session: "s1", answer: { text: "hello" }, next: async () => ({ text: "hello" })
 * });
 * await shadow.idle();
 * console.log(shadow.counts().equal); // 1
 * await shadow.close();
 * ```
 */
export function createShadowRunner(options: ShadowRunnerOptions = {}): ShadowRunner {
  const parsed = parseOptions("createShadowRunner", schema, options);
  const { maxInFlight, maxQueued, timeoutMs, aaPercent, aaLeast, keep, collector } = parsed;
  const clock = parsed.clock ?? systemClock;
  const comparator = parsed.comparator ?? createComparator({ now: () => clock.now() });
  const { disabled = () => false, random = Math.random } = parsed;
  const noise = createNoiseModel();
  const counts: Record<keyof ShadowCounts, number> = { ...noShadow };
  const kept: ShadowMismatch[] = [];
  /** Turns that differ, while the noise is not known. */
  let unjudged: (() => void)[] = [];
  const queue: (() => Promise<void>)[] = [];
  const stop = new AbortController();
  let running = 0;
  let woken = false;
  const idlers: (() => void)[] = [];

  function report(error: unknown): void {
    try {
      parsed.onError?.(error);
    } catch {
      // The channel for errors has none of its own.
    }
  }

  function guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      report(error);
      return undefined;
    }
  }

  function count(flag: string, more: Partial<Record<keyof ShadowCounts, number>>): void {
    for (const [name, value] of Object.entries(more)) counts[name as keyof ShadowCounts] += value;
    guarded(() => collector?.compared(flag, more));
  }

  /** One engine run with its timeout. What ignores the signal is left behind, not waited for. */
  async function run(work: (signal: AbortSignal) => unknown): Promise<Ran> {
    const limit = new AbortController();
    const abort = () => limit.abort();
    stop.signal.addEventListener("abort", abort, { once: true });
    const cancel = clock.after(timeoutMs, abort);
    try {
      const over = new Promise<Ran>((resolve) =>
        limit.signal.addEventListener("abort", () => resolve({ kind: "timedOut" }), { once: true }),
      );
      const done = (async () => work(limit.signal))().then(
        (value): Ran => ({ kind: "ok", value }),
        (error: unknown): Ran => ({ kind: "failed", error }),
      );
      return await Promise.race([done, over]);
    } finally {
      cancel();
      stop.signal.removeEventListener("abort", abort);
    }
  }

  const room = (kind: ShadowMismatch["kind"]): boolean => kept.filter((one) => one.kind === kind).length < keep;

  function keepMismatch(mismatch: Omit<ShadowMismatch, "at">): void {
    if (room(mismatch.kind)) kept.push({ ...mismatch, at: new Date(clock.now()).toISOString() });
  }

  async function process<T>({ flag, session, next, again }: ShadowTurn<T>, answer: unknown): Promise<void> {
    const learning = again !== undefined && noise.calibrations() < aaLeast;
    if (again !== undefined && (random() * 100 < aaPercent || learning)) {
      const second = await run(again);
      if (second.kind === "ok") noise.calibrate(comparator.compare(answer, second.value, false).differences);
    }
    const ran = await run(next);
    if (stop.signal.aborted) return;
    if (ran.kind !== "ok") {
      const kind = ran.kind === "failed" ? "onlyNewFailed" : "timedOut";
      count(flag, { [kind]: 1 });
      keepMismatch({
        flag,
        session,
        kind,
        differences: [],
        ...(ran.kind === "failed" ? { error: redactText(errorMessage(ran.error)) } : {}),
      });
      return;
    }
    const { equal, differences } = comparator.compare(answer, ran.value, false);
    noise.observe(differences);
    const judge = (): void => {
      const same = equal || noise.explained(differences);
      count(flag, { compared: 1, ...(same ? { equal: 1 } : { mismatched: 1 }) });
      if (!same && room("mismatched"))
        keepMismatch({
          flag,
          session,
          kind: "mismatched",
          differences: comparator.compare(answer, ran.value).differences,
        });
    };
    if (equal || again === undefined) judge();
    else unjudged.push(judge);
    if (again === undefined || noise.calibrations() >= aaLeast) judgeAll();
  }

  function judgeAll(): void {
    const all = unjudged;
    unjudged = [];
    for (const judge of all) judge();
  }

  function wake(): void {
    if (woken) return;
    woken = true;
    // A macrotask: the request's own continuation runs first.
    setImmediate(() => {
      woken = false;
      while (running < maxInFlight && queue.length > 0) {
        running++;
        void queue.shift()!().finally(() => {
          running--;
          if (queue.length > 0) wake();
          else if (running === 0) for (const idle of idlers.splice(0)) idle();
        });
      }
    });
  }

  return {
    submit(turn) {
      return (
        guarded(() => {
          if (stop.signal.aborted || disabled()) return false;
          if (queue.length >= maxQueued) {
            count(turn.flag, { dropped: 1 });
            return false;
          }
          const answer: unknown = structuredClone(turn.answer);
          queue.push(() => process(turn, answer).catch((error: unknown) => report(error)));
          wake();
          return true;
        }) ?? false
      );
    },
    counts: () => ({ ...counts }),
    mismatches: () => [...kept],
    fields: () => noise.fields(),
    idle: () => new Promise((resolve) => (queue.length === 0 && running === 0 ? resolve() : idlers.push(resolve))),
    async close() {
      stop.abort();
      queue.length = 0;
      judgeAll();
      if (running > 0) await new Promise<void>((resolve) => idlers.push(resolve));
    },
  };
}
