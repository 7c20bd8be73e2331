import { errorMessage, HebraError } from "@hebra/core";
import type { Decision, FlagContext } from "../evaluate/types.ts";
import type { Assignment } from "./assignment.ts";
import { createBreaker, type Breaker } from "./breaker.ts";
import { createKeyedMutex } from "./keyed-mutex.ts";
import { parseRouterOptions, type RouterOptions } from "./options.ts";
import { planTurn, planWithoutSession, within, type Plan } from "./plan.ts";
import type { RouteHandlers, RouteObserver, Router, RouteTurn } from "./router.ts";
import { createTurns, type RunningTurn } from "./turns.ts";

/** How often a session's assignment is read again after somebody else wrote it. */
const WRITE_ATTEMPTS = 5;

/**
 * The data plane: serves each turn with the engine that its session has.
 *
 * A session draws its engine once and keeps it until it is idle for `idleMs` or ended. It comes to the new engine in
 * mid-session only once
 * `migrated` says that its history is there, and goes back only by kill, deny, pin or rollback, always between two
 * turns; before the first
 * legacy turn after such a cut, `handover` runs once.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createFlags, createRouter, staticProvider } from "@hebra/flags";
 *
 * const flags = createFlags({ provider: staticProvider({ flags: {}, rollouts: { "engine-v2": { version: 1, canary: {
 * percent: 25 } } } }) });
 * const router = createRouter({ flags });
 * const answer = await router.route("engine-v2", { session: "s1" }, {
 *   legacy: () => "the old engine",
 *   next: () => "the new engine",
 *   handover: async ({ session, id }) => console.log(`copy the new turns of ${session} back, once by ${id}`),
 * });
 * console.log(answer);
 * router.close();
 * await flags.close();
 * ```
 */
export function createRouter(input: RouterOptions): Router {
  const options = parseRouterOptions(input);
  const { flags, assignments, assignmentTimeoutMs, clock, logger, observer } = options;
  const sessions = createKeyedMutex();
  const turns = createTurns({ flags, clock, onKill: options.onKill });
  const breakers = new Map<string, Breaker>();
  const warned = new Set<string>();

  function tell<K extends keyof RouteObserver>(event: K, value: Parameters<NonNullable<RouteObserver[K]>>[0]): void {
    try {
      (observer[event] as ((value: unknown) => void) | undefined)?.call(observer, value);
    } catch (error) {
      logger.warn("The observer of the router threw.", { event, error: errorMessage(error) });
    }
  }

  function warn(flag: string, session: string | undefined, error: HebraError): void {
    tell("warned", { flag, session, error });
    // Once a flag and code: a misconfiguration says so, it does not fill the log.
    const key = `${flag} ${error.code}`;
    if (warned.has(key)) return;
    warned.add(key);
    logger.warn(error.message, { flag, code: error.code });
  }

  const bounded = <T>(work: Promise<T>) => within(clock, assignmentTimeoutMs, "The assignment store", work);

  async function read(flag: string, session: string): Promise<{ stored: Assignment | undefined; lost: boolean }> {
    try {
      return { stored: await bounded(assignments.read(flag, session)), lost: false };
    } catch (error) {
      warn(flag, session, error as HebraError);
      return { stored: undefined, lost: true };
    }
  }

  /** @returns `false` when somebody else wrote first */
  async function write(assignment: Assignment): Promise<boolean> {
    try {
      return await bounded(assignments.write(assignment));
    } catch (error) {
      // The bucket gives the same engine again, and the new engine's own store knows whom it served.
      warn(assignment.flag, assignment.session, error as HebraError);
      return true;
    }
  }

  /**
   * Plans, waits for the turn boundary, hands over and writes, one at a time for a session; then the turn has begun.
   */
  async function begin<T>(
    flag: string,
    context: FlagContext,
    handlers: RouteHandlers<T>,
    onlyLegacy: boolean,
  ): Promise<{ plan: Plan; running: RunningTurn }> {
    const { session } = context;
    if (session === undefined || session === "") {
      const plan = await planWithoutSession(options, flag, context, handlers);
      return {
        plan: onlyLegacy ? { ...plan, mode: "legacy" } : plan,
        running: turns.begin(flag, context, !onlyLegacy && plan.mode === "new" ? "new" : "legacy", handlers.signal),
      };
    }
    const known = { ...context, session };
    return sessions.run(JSON.stringify([flag, session]), async () => {
      for (let attempt = 1; ; attempt++) {
        const { stored, lost } = await read(flag, session);
        let plan = await planTurn(options, flag, known, handlers, stored);
        if (onlyLegacy) plan = toLegacy(plan, stored);
        await turns.boundary(flag, session, plan.mode === "new" ? "new" : "legacy");
        // Waiting may have taken long: what was decided before it may no longer hold.
        if (!onlyLegacy && moved(plan.decision, flag, known) && attempt < WRITE_ATTEMPTS) continue;
        const handedOver = plan.handoverDue && (await handOver(flag, known, handlers, stored));
        const assignment =
          handedOver || (plan.handoverDue && handlers.withoutHandover === true)
            ? { ...plan.assignment!, newSince: undefined }
            : plan.assignment!;
        if (!lost && !(await write(assignment)) && attempt < WRITE_ATTEMPTS) continue;
        plan = { ...plan, assignment };
        if (plan.refusal !== undefined) warn(flag, session, plan.refusal);
        if (plan.cut) tell("cut", { flag, session, decision: plan.decision, handedOver });
        return { plan, running: turns.begin(flag, known, plan.mode === "new" ? "new" : "legacy", handlers.signal) };
      }
    });
  }

  function moved(decision: Decision, flag: string, context: FlagContext): boolean {
    return decision.ruleId === "assigned"
      ? flags.decide(flag, context, { mode: "new", arm: decision.arm }).mode !== "new"
      : false;
  }

  async function handOver<T>(
    flag: string,
    context: FlagContext & { readonly session: string },
    handlers: RouteHandlers<T>,
    stored: Assignment | undefined,
  ): Promise<boolean> {
    if (handlers.handover === undefined) return false;
    const { session } = context;
    const since = stored?.newSince === 0 ? undefined : stored?.newSince;
    try {
      await handlers.handover({
        flag,
        session,
        context,
        since,
        id: `handover:${flag}:${session}:${since ?? "unknown"}`,
      });
      return true;
    } catch (error) {
      if (options.onHandoverFailure === "fail") throw error;
      warn(
        flag,
        session,
        new HebraError(
          "GENERAL",
          `The handover of a session failed and is tried again before its next turn: ${errorMessage(error)}.`,
          { cause: error },
        ),
      );
      return false;
    }
  }

  async function serve<T>(
    flag: string,
    context: FlagContext,
    handlers: RouteHandlers<T>,
    plan: Plan,
    running: RunningTurn,
  ): Promise<T> {
    const turn: RouteTurn = { flag, context, mode: plan.mode, decision: plan.decision, signal: running.signal };
    const work = (async () => (plan.mode === "new" ? handlers.next : handlers.legacy)(turn))();
    work.then(running.ended, running.ended);
    const answer = await Promise.race([work, running.aborted]);
    if (plan.mode === "shadow") shadow(handlers, turn, answer);
    return answer;
  }

  function shadow<T>(handlers: RouteHandlers<T>, turn: RouteTurn, answer: T): void {
    const failed = (error: unknown) =>
      logger.warn("The shadow of a turn threw.", { flag: turn.flag, error: errorMessage(error) });
    try {
      void Promise.resolve(handlers.shadow?.(turn, answer)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  async function fallBack<T>(
    flag: string,
    context: FlagContext,
    handlers: RouteHandlers<T>,
    failure: unknown,
  ): Promise<T> {
    const { plan, running } = await begin(flag, context, handlers, true).catch((error: unknown) => {
      warn(
        flag,
        context.session,
        new HebraError("GENERAL", `Legacy could not take over a failed turn: ${errorMessage(error)}.`, {
          cause: error,
        }),
      );
      throw failure;
    });
    const turn: RouteTurn = { flag, context, mode: "legacy", decision: plan.decision, signal: running.signal, failure };
    const work = (async () => handlers.legacy(turn))();
    work.then(running.ended, running.ended);
    return Promise.race([work, running.aborted]);
  }

  function breakerOf(flag: string): Breaker | undefined {
    if (options.breaker === false) return undefined;
    let breaker = breakers.get(flag);
    if (breaker === undefined) {
      breaker = createBreaker({
        options: options.breaker,
        clock,
        opened(forMs, cause) {
          flags.setBreaker(flag, true);
          tell("breakerOpened", { flag, forMs, cause });
        },
        closed() {
          flags.setBreaker(flag, false);
          tell("breakerClosed", { flag });
        },
      });
      breakers.set(flag, breaker);
    }
    return breaker;
  }

  return {
    async route<T>(flag: string, context: FlagContext, handlers: RouteHandlers<T>): Promise<T> {
      const { plan, running } = await begin(flag, context, handlers, false);
      const { mode, decision, assignment } = plan;
      const began = clock.monotonic();
      const exposure = {
        flag,
        session: context.session ?? "",
        context,
        mode,
        decision,
        arm: assignment === undefined ? decision.arm : assignment.arm,
        flagVersion: assignment?.flagVersion ?? decision.flagVersion,
        startedAt: assignment?.startedAt ?? clock.now(),
      };
      if (plan.fresh) tell("exposed", exposure);
      const finished = (ok: boolean, error: unknown, fellBack: boolean) =>
        tell("finished", { ...exposure, ok, error, latencyMs: clock.monotonic() - began, at: clock.now(), fellBack });
      try {
        const answer = await serve(flag, context, handlers, plan, running);
        if (mode === "new") breakerOf(flag)?.record(true);
        finished(true, undefined, false);
        return answer;
      } catch (failure) {
        // What was cut off from outside says nothing about the engine.
        if (mode === "new" && !running.signal.aborted) breakerOf(flag)?.record(false);
        const repeat =
          typeof handlers.safeToRepeat === "function" ? handlers.safeToRepeat(failure) : handlers.safeToRepeat === true;
        const fellBack = mode === "new" && repeat && handlers.signal?.aborted !== true;
        finished(false, failure, fellBack);
        if (!fellBack) throw failure;
        return fallBack(flag, context, handlers, failure);
      }
    },
    async end(flag, session) {
      await sessions.run(JSON.stringify([flag, session]), async () => {
        for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt++) {
          const stored = await bounded(assignments.read(flag, session));
          if (stored === undefined || stored.ended) return;
          if (await bounded(assignments.write({ ...stored, ended: true, revision: stored.revision + 1 }))) return;
        }
        throw new HebraError("REVISION_CONFLICT", `The assignment of ${session} kept moving while it was ended.`, {
          details: { flag, session },
        });
      });
    },
    assignment: (flag, session) => bounded(assignments.read(flag, session)),
    close() {
      turns.close();
      for (const breaker of breakers.values()) breaker.close();
    },
  };
}

/**
 * The same turn, taken away from the new engine: the session is cut, because the new engine will not have this turn.
 */
function toLegacy(plan: Plan, stored: Assignment | undefined): Plan {
  if (plan.assignment === undefined || plan.mode !== "new") return { ...plan, mode: "legacy" };
  const handoverDue = stored?.newSince !== undefined;
  return {
    ...plan,
    mode: "legacy",
    cut: true,
    handoverDue,
    assignment: {
      ...plan.assignment,
      mode: "legacy",
      arm: undefined,
      newSince: stored?.newSince,
      servedByLegacy: true,
    },
  };
}
