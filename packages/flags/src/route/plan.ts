import { errorMessage, HebraError, type Clock } from "@hebra/core";
import type { Assigned, Decision, FlagContext, Mode } from "../evaluate/types.ts";
import type { Assignment } from "./assignment.ts";
import type { ParsedRouterOptions } from "./options.ts";
import { decideWithTarget } from "./remote-target.ts";
import type { EngineHandlers } from "./router.ts";

/** Who serves the turn that is about to begin, and what to write before it does. */
export interface Plan {
  readonly mode: Mode;
  readonly decision: Decision;
  /** To be written before the turn; `undefined` for a context without a session. */
  readonly assignment: Assignment | undefined;
  /** The session met its arm for the first time. */
  readonly fresh: boolean;
  /** The new engine may have written turns that legacy does not know. */
  readonly handoverDue: boolean;
  /** The new engine may lack turns that legacy served. */
  readonly catchUpDue: boolean;
  /** A session that the new engine served goes to legacy. */
  readonly cut: boolean;
  /** Why `new` was not given. */
  readonly refusal: HebraError | undefined;
}

type Handlers = Pick<EngineHandlers<never>, "handover" | "catchUp" | "servedByNew" | "withoutHandover">;
type Options = Pick<
  ParsedRouterOptions,
  "flags" | "target" | "idleMs" | "migrated" | "hasLegacyHistory" | "servedByNew" | "clock"
>;

function decide(
  { flags, target }: Options,
  flag: string,
  context: FlagContext,
  assigned?: Assigned,
): Decision | Promise<Decision> {
  return target === undefined
    ? flags.decide(flag, context, assigned)
    : decideWithTarget(flags, target, flag, context, assigned);
}

/** Plans a turn of a context without a session: there is nothing to assign, and nothing to hand over. */
export async function planWithoutSession(
  options: Options,
  flag: string,
  context: FlagContext,
  handlers: Handlers,
): Promise<Plan> {
  const decision = await decide(options, flag, context);
  const refusal = decision.mode === "new" && handlers.withoutHandover !== true ? refused(flag, undefined) : undefined;
  return {
    mode: refusal === undefined ? decision.mode : "legacy",
    decision,
    assignment: undefined,
    fresh: true,
    handoverDue: false,
    catchUpDue: false,
    cut: false,
    refusal,
  };
}

/**
 * Plans a turn of a session from what is stored of it.
 *
 * @param stored - the assignment, `undefined` when there is none or the store is out of reach.
 */
export async function planTurn(
  options: Options,
  flag: string,
  context: FlagContext & { readonly session: string },
  handlers: Handlers,
  stored: Assignment | undefined,
): Promise<Plan> {
  const now = options.clock.now();
  const current = stored !== undefined && !stored.ended && now - stored.lastSeenAt < options.idleMs;
  // Revision 0: nobody wrote it, the new engine's own rows tell.
  const recovered =
    stored === undefined
      ? (await (handlers.servedByNew?.() ?? options.servedByNew?.(context.session, context))) === true
      : current && stored.revision === 0;
  const live = current || recovered;
  const onNew = recovered || (live && stored?.mode === "new");
  if (onNew && (await stillWhole(options, context, recovered))) {
    const decision = await decideAssigned(options, flag, context, handlers, stored?.arm);
    const stays = decision.mode === "new";
    return finish({
      stored,
      flag,
      context,
      now,
      mode: decision.mode,
      decision,
      fresh: recovered && stays,
      cut: !stays,
      recovered,
      refusal: undefined,
    });
  }
  const decision = await decide(options, flag, context);
  const base = { stored, flag, context, now, decision, cut: false, recovered };
  if (decision.mode !== "new") return finish({ ...base, mode: decision.mode, fresh: !live, refusal: undefined });
  const { allowed, refusal } = await mayGoOver(options, flag, context, handlers, stored, live);
  return finish({ ...base, mode: allowed ? "new" : "legacy", fresh: allowed || !live, refusal });
}

/**
 * A session found only by its executions may have had legacy turns since: where the host can tell, it must say that the
 * new engine has them.
 */
async function stillWhole(
  options: Options,
  context: FlagContext & { readonly session: string },
  recovered: boolean,
): Promise<boolean> {
  return !recovered || options.migrated === undefined || (await options.migrated(context.session, context));
}

async function decideAssigned(
  options: Options,
  flag: string,
  context: FlagContext,
  handlers: Handlers,
  arm: Assignment["arm"],
): Promise<Decision> {
  const decision = await decide(options, flag, context, { mode: "new", arm });
  // The breaker protects turns, not histories: with no way back, a session that has the new engine keeps it until
  // somebody kills the flag.
  if (decision.reason !== "BREAKER" || handlers.handover !== undefined || handlers.withoutHandover === true)
    return decision;
  return { ...decision, mode: "new", reason: "ASSIGNED", ruleId: "assigned", arm };
}

async function mayGoOver(
  options: Options,
  flag: string,
  context: FlagContext & { readonly session: string },
  handlers: Handlers,
  stored: Assignment | undefined,
  live: boolean,
) {
  const { session } = context;
  const history =
    stored?.servedByLegacy === true ||
    (options.hasLegacyHistory === undefined ? stored === undefined : await options.hasLegacyHistory(session, context));
  const wayBack = handlers.handover !== undefined || handlers.withoutHandover === true;
  if (history && !wayBack) return { allowed: false, refusal: refused(flag, session) };
  // The history comes along before the turn.
  if (handlers.catchUp !== undefined) return { allowed: true, refusal: undefined };
  // In the middle of a session only a proven copy of the history will do; at its start the host may leave that open.
  if (live && options.migrated === undefined) return { allowed: false, refusal: undefined };
  if (history && options.migrated !== undefined && !(await options.migrated(session, context)))
    return { allowed: false, refusal: undefined };
  return { allowed: true, refusal: undefined };
}

function refused(flag: string, session: string | undefined): HebraError {
  return new HebraError(
    "HANDOVER_REQUIRED",
    `${flag}: a session that has or may have legacy history stays on legacy, because there is no way back. Pass \`handover\` to route(), or say \`withoutHandover: true\`.`,
    {
      details: { flag, ...(session === undefined ? {} : { session }) },
    },
  );
}

function finish(input: {
  readonly stored: Assignment | undefined;
  readonly flag: string;
  readonly context: FlagContext & { readonly session: string };
  readonly now: number;
  readonly mode: Mode;
  readonly decision: Decision;
  readonly fresh: boolean;
  readonly cut: boolean;
  readonly recovered: boolean;
  readonly refusal: HebraError | undefined;
}): Plan {
  const { stored, now, mode, decision, fresh, cut } = input;
  const engine = mode === "new" ? "new" : "legacy";
  const restart = fresh || cut || stored === undefined;
  // A unit that was drawn for one arm and served by the other counts for neither.
  const drawn = (engine === "new") === (decision.arm === "new") ? decision.arm : undefined;
  const assignment: Assignment = {
    flag: input.flag,
    session: input.context.session,
    ...(input.context.org === undefined ? {} : { tenant: input.context.org }),
    mode: engine,
    arm: restart ? (cut ? undefined : drawn) : stored.arm,
    flagVersion: restart ? decision.flagVersion : stored.flagVersion,
    startedAt: restart ? now : stored.startedAt,
    lastSeenAt: now,
    newSince: engine === "new" ? (stored?.newSince ?? (input.recovered ? 0 : now)) : stored?.newSince,
    servedByLegacy: stored?.servedByLegacy === true || engine === "legacy",
    ended: false,
    revision: (stored?.revision ?? 0) + 1,
  };
  const handoverDue = engine === "legacy" && (stored?.newSince !== undefined || input.recovered);
  const catchUpDue = engine === "new" && (stored?.mode !== "new" || input.recovered);
  return { mode, decision, assignment, fresh, handoverDue, catchUpDue, cut, refusal: input.refusal };
}

/** A turn that began on the new engine goes on there: nothing is decided, and nothing is written. */
export function planInFlight(
  options: Options,
  flag: string,
  context: FlagContext & { readonly session: string },
  stored: Assignment | undefined,
): Plan {
  const decided = options.flags.decide(flag, context, { mode: "new", arm: stored?.arm });
  const decision: Decision =
    decided.mode === "new" ? decided : { ...decided, mode: "new", reason: "ASSIGNED", ruleId: "assigned" };
  const plan = finish({
    stored,
    flag,
    context,
    now: options.clock.now(),
    mode: "new",
    decision,
    fresh: false,
    cut: false,
    recovered: stored === undefined,
    refusal: undefined,
  });
  return { ...plan, catchUpDue: false };
}

/**
 * The same turn, taken away from the new engine: the session is cut, because the new engine will not have this turn.
 */
export function toLegacy(plan: Plan, stored: Assignment | undefined): Plan {
  if (plan.assignment === undefined || plan.mode !== "new") return { ...plan, mode: "legacy" };
  return {
    ...plan,
    mode: "legacy",
    cut: true,
    handoverDue: stored?.newSince !== undefined,
    catchUpDue: false,
    assignment: {
      ...plan.assignment,
      mode: "legacy",
      arm: undefined,
      newSince: stored?.newSince,
      servedByLegacy: true,
    },
  };
}

/** Waits for a store, but not for ever. @throws HebraError `UNREACHABLE` */
export async function within<T>(clock: Clock, ms: number, what: string, work: Promise<T>): Promise<T> {
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(ms, () => reject(new HebraError("UNREACHABLE", `${what} did not answer within ${ms} ms.`)));
  });
  try {
    return await Promise.race([work, late]);
  } catch (cause) {
    throw HebraError.isInstance(cause)
      ? cause
      : new HebraError("UNREACHABLE", `${what} failed: ${errorMessage(cause)}.`, { cause });
  } finally {
    cancel();
  }
}
