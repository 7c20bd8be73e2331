import { errorMessage, errorSignature, HebraError } from "@hebra/core";
import type { Decision, FlagContext, Unit } from "../evaluate/types.ts";
import type { Assignment } from "./assignment.ts";
import { createBreaker, type Breaker } from "./breaker.ts";
import { assignmentKey } from "./encode-assignment.ts";
import { createKeyedMutex } from "./keyed-mutex.ts";
import { parseRouterOptions, type RouterOptions } from "./options.ts";
import {
  isThenable,
  outcomeOfAnswer,
  outcomeOfFailure,
  verification,
  type TurnOutcome,
  type TurnStatus,
} from "./outcome.ts";
import { planInFlight, planTurn, planWithoutSession, toLegacy, within, type Plan } from "./plan.ts";
import type { EngineHandlers, JudgeAnswer, RouteHandlers, RouteObserver, Router, RouteTurn } from "./router.ts";
import { createTurns, type RunningTurn } from "./turns.ts";

/** Sessions of two tenants with the same id are two units. */
function unitOf(unit: Unit, context: FlagContext): string {
  const id = context[unit] ?? "";
  return unit === "org" || id === "" ? id : assignmentKey(id, context.org);
}

type Judge<T> = { readonly outcome?: JudgeAnswer<T> };

const unreadable = (flag: string) =>
  new HebraError(
    "OUTCOME_UNKNOWN",
    `${flag}: the router cannot judge what an engine answered, so these turns are no data for the guards. Return the engine's turn, or pass \`outcome\` to route().`,
    { details: { flag } },
  );

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
 * const rollouts = { "engine-v2": { version: 1, canary: { percent: 25 } } };
 * const flags = createFlags({ provider: staticProvider({ flags: {}, rollouts }) });
 * const router = createRouter({ flags });
 * const answer = await router.route("engine-v2", { session: "s1" }, {
 *   legacy: () => "the old engine",
 *   next: () => "the new engine",
 *   outcome: () => "ok", // judges a text; the turn handle of an engine needs no judge
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

  async function read(
    flag: string,
    session: string,
    org: string | undefined,
  ): Promise<{ stored: Assignment | undefined; lost: boolean }> {
    try {
      return { stored: await bounded(assignments.read(flag, session, org)), lost: false };
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
  async function begin<L, N>(
    flag: string,
    context: FlagContext,
    handlers: EngineHandlers<L, N>,
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
    return sessions.run(JSON.stringify([flag, context.org, session]), async () => {
      for (let attempt = 1; ; attempt++) {
        const { stored, lost } = await read(flag, session, context.org);
        if (handlers.inFlight === true && !onlyLegacy)
          return {
            plan: planInFlight(options, flag, known, stored),
            running: turns.begin(flag, known, "new", handlers.signal),
          };
        let plan = await planTurn(options, flag, known, handlers, stored);
        if (onlyLegacy) plan = toLegacy(plan, stored);
        if (plan.catchUpDue && !(await caughtUp(flag, known, handlers, plan)))
          plan = { ...toLegacy(plan, stored), cut: false };
        await turns.boundary(flag, known, plan.mode === "new" ? "new" : "legacy");
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

  async function handOver<L, N>(
    flag: string,
    context: FlagContext & { readonly session: string },
    handlers: EngineHandlers<L, N>,
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
        id: `handover:${flag}:${assignmentKey(session, context.org)}:${since ?? "unknown"}`,
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

  /** @returns `false` when the new engine could not get the session's history: the turn stays on legacy */
  async function caughtUp<L, N>(
    flag: string,
    context: FlagContext & { readonly session: string },
    { catchUp }: EngineHandlers<L, N>,
    { assignment }: Plan,
  ): Promise<boolean> {
    const { session } = context;
    const since = assignment?.newSince;
    const id = `catch-up:${flag}:${assignmentKey(session, context.org)}:${since ?? "unknown"}`;
    try {
      await catchUp?.({ flag, session, context, since, id });
      return true;
    } catch (cause) {
      const message = `The history of a session could not be brought to the new engine; its turn stays on legacy: ${errorMessage(cause)}.`;
      warn(flag, session, new HebraError("GENERAL", message, { cause }));
      return false;
    }
  }

  /** Runs one engine. The turn ends when its outcome is known, which may be long after the answer. */
  async function serve<L, N>(handlers: EngineHandlers<L, N> & Judge<L | N>, turn: RouteTurn, running: RunningTurn) {
    const work = (async () => (turn.mode === "new" ? handlers.next : handlers.legacy)(turn))();
    // A turn that its caller gave up still ends for the next one.
    work.catch(() => running.ended());
    try {
      const answer = await Promise.race([work, running.aborted]);
      return { threw: false, answer, outcome: judge(handlers, turn, answer, running) } as const;
    } catch (failure) {
      if (running.signal.aborted) void work.then((late) => judge(handlers, turn, late, running), running.ended);
      const outcome: TurnOutcome = running.signal.aborted
        ? { status: "stopped", error: failure }
        : outcomeOfFailure(failure);
      return { threw: true, failure, outcome } as const;
    }
  }

  function judge<T>(
    handlers: Judge<T>,
    turn: RouteTurn,
    answer: T,
    running: RunningTurn,
  ): TurnOutcome | Promise<TurnOutcome> {
    const settled = (outcome: TurnOutcome): TurnOutcome => {
      running.ended();
      const cutOff = running.signal.aborted && outcome.status === "failed";
      return cutOff ? { ...outcome, status: "stopped" } : outcome;
    };
    const unjudged = (error?: unknown): TurnOutcome => {
      if (error !== undefined)
        logger.warn("The outcome of a turn could not be found out.", { flag: turn.flag, error: errorMessage(error) });
      return { status: "unknown" };
    };
    const own = outcomeOfAnswer(answer);
    const other = (said: TurnOutcome | TurnStatus | undefined) => {
      if (said !== undefined) return typeof said === "string" ? { status: said } : said;
      if (own === undefined) warn(turn.flag, turn.context.session, unreadable(turn.flag));
      return own ?? unjudged();
    };
    try {
      const said = handlers.outcome?.(answer, turn);
      const found = isThenable(said) ? said.then(other) : other(said);
      return isThenable(found) ? found.catch(unjudged).then(settled) : settled(found);
    } catch (error) {
      return settled(unjudged(error));
    }
  }

  function shadow<L, N>(handlers: EngineHandlers<L, N>, turn: RouteTurn, answer: L): void {
    const failed = (error: unknown) =>
      logger.warn("The shadow of a turn threw.", { flag: turn.flag, error: errorMessage(error) });
    try {
      void Promise.resolve(handlers.shadow?.(turn, answer)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  async function fallBack<L, N>(
    flag: string,
    context: FlagContext,
    handlers: EngineHandlers<L, N>,
    failure: unknown,
  ): Promise<L> {
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
    async route<L, N = L>(flag: string, context: FlagContext, handlers: RouteHandlers<L, N>): Promise<L | N> {
      const { plan, running } = await begin(flag, context, handlers, false);
      const { mode, decision, assignment } = plan;
      const began = clock.monotonic();
      const exposure = {
        flag,
        session: context.session ?? "",
        unit: unitOf(flags.describe(flag)?.unit ?? "session", context),
        context,
        mode,
        decision,
        arm: assignment === undefined ? decision.arm : assignment.arm,
        flagVersion: assignment?.flagVersion ?? decision.flagVersion,
        startedAt: assignment?.startedAt ?? clock.now(),
      };
      if (plan.fresh) tell("exposed", exposure);
      const finished = (outcome: TurnOutcome, fellBack: boolean) => {
        const { status, error } = outcome;
        if (mode === "new" && (status === "ok" || status === "failed")) breakerOf(flag)?.record(status === "ok");
        const bad = status === "failed" || status === "incomplete";
        const signature = bad ? { signature: errorSignature(error ?? status, { component: flag }) } : {};
        const [latencyMs, at] = [clock.monotonic() - began, clock.now()];
        tell("finished", { ...exposure, ...outcome, error, ...signature, latencyMs, at, fellBack });
      };
      const turn: RouteTurn = { flag, context, mode, decision, signal: running.signal };
      const served = await serve(handlers as EngineHandlers<L, N> & Judge<L | N>, turn, running);
      if (served.threw) {
        const { failure, outcome } = served;
        const repeat =
          typeof handlers.safeToRepeat === "function" ? handlers.safeToRepeat(failure) : handlers.safeToRepeat === true;
        const fellBack = mode === "new" && repeat && handlers.signal?.aborted !== true;
        finished(outcome, fellBack);
        if (!fellBack) throw failure;
        return fallBack(flag, context, handlers, failure);
      }
      const { outcome: judged } = served;
      if (isThenable(judged)) void judged.then((outcome) => finished(outcome, false));
      else finished(judged, false);
      if (mode === "new")
        void verification(served.answer)?.then((complete) => tell("verified", { ...exposure, complete }));
      if (mode === "shadow") shadow(handlers, turn, served.answer as L);
      return served.answer;
    },
    async end(flag, session, org) {
      await sessions.run(JSON.stringify([flag, org, session]), async () => {
        for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt++) {
          const stored = await bounded(assignments.read(flag, session, org));
          if (stored === undefined || stored.ended) return;
          if (await bounded(assignments.write({ ...stored, ended: true, revision: stored.revision + 1 }))) return;
        }
        throw new HebraError("REVISION_CONFLICT", `The assignment of ${session} kept moving while it was ended.`, {
          details: { flag, session },
        });
      });
    },
    assignment: (flag, session, org) => bounded(assignments.read(flag, session, org)),
    close() {
      turns.close();
      for (const breaker of breakers.values()) breaker.close();
    },
  };
}
