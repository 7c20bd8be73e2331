import type { ErrorSignature, HebraError } from "@hebra/core";
import type { Decision, FlagContext, Mode } from "../evaluate/types.ts";
import type { EngineResult, EngineTurn, TurnOutcome, TurnStatus } from "./outcome.ts";

/** One turn, as a handler sees it. */
export interface RouteTurn {
  readonly flag: string;
  readonly context: FlagContext;
  /** What this turn is served as: `shadow` is answered by legacy. */
  readonly mode: Mode;
  readonly decision: Decision;
  /** Aborts when the caller's signal does, and for the new engine when a kill says so. */
  readonly signal: AbortSignal;
  /** Set when legacy answers because the new engine failed. */
  readonly failure?: unknown;
}

/**
 * What `handover` gets: everything the new engine wrote for the session since the switch goes back into legacy rows.
 */
export interface HandoverRequest {
  readonly flag: string;
  readonly session: string;
  readonly context: FlagContext;
  /**
   * When the session came to the new engine, in milliseconds since the epoch; `undefined` when the assignment was lost.
   */
  readonly since: number | undefined;
  /** Stable for this switch. A process may die between the handover and its record: use it to write once. */
  readonly id: string;
}

/** The two engines behind a flag, without what judges them. */
export interface EngineHandlers<L, N = L> {
  readonly legacy: (turn: RouteTurn) => L | Promise<L>;
  readonly next: (turn: RouteTurn) => N | Promise<N>;
  /** Called after legacy answered a shadowed turn; never awaited, and what it throws goes to the log. */
  readonly shadow?: (turn: RouteTurn, answer: L) => void | Promise<void>;
  /**
   * Maps the new engine's turns into legacy rows, once, before the first legacy turn after a cut. Idempotent by `id`.
   */
  readonly handover?: (request: HandoverRequest) => void | Promise<void>;
  /**
   * Brings the session's legacy history into the new engine, before its first turn there. Idempotent by `id`. With it a
   * session may move in mid-session without `migrated`. If it throws, the turn stays on legacy.
   */
  readonly catchUp?: (request: HandoverRequest) => void | Promise<void>;
  /** As the router's option of this name, for whoever can tell only here. It goes before the option. */
  readonly servedByNew?: () => boolean | Promise<boolean>;
  /** The host accepts that after a cut legacy does not know the new engine's turns. */
  readonly withoutHandover?: boolean;
  /** The turn began on the new engine before, as after a crash or an approval: it goes on there. @defaultValue false */
  readonly inFlight?: boolean;
  /** Whether a turn on which `next` failed may be run again on legacy. @defaultValue false */
  readonly safeToRepeat?: boolean | ((failure: unknown) => boolean);
  readonly signal?: AbortSignal;
}

/**
 * Judges an answer that the router cannot judge. A handler that throws needs no judgement: it failed, or was stopped
 * when the error is an abort.
 *
 * @returns an outcome, or its status alone; `undefined` leaves it to the router.
 */
export type JudgeAnswer<T> = (
  answer: T,
  turn: RouteTurn,
) => TurnOutcome | TurnStatus | undefined | Promise<TurnOutcome | TurnStatus | undefined>;

/** Answers that the router judges by itself. */
export type JudgedAnswer = EngineTurn | EngineResult;

/**
 * The two engines behind a flag. An engine's turn or result is judged by the router. For any other answer `outcome` is
 * required: a rollout that cannot see its turns is worse than none.
 */
export type RouteHandlers<L, N = L> = EngineHandlers<L, N> &
  ([L | N] extends [JudgedAnswer]
    ? { readonly outcome?: JudgeAnswer<L | N> }
    : { readonly outcome: JudgeAnswer<L | N> });

/** A session met an arm for the first time under an assignment. */
export interface Exposure {
  readonly flag: string;
  readonly session: string;
  readonly context: FlagContext;
  readonly mode: Mode;
  readonly decision: Decision;
  /** The arm of the assignment. Only sessions with an arm count for guards. */
  readonly arm: Decision["arm"];
  readonly flagVersion: number;
  /** When the session started under this assignment: failures are booked there. */
  readonly startedAt: number;
  /** Id of the flag's bucketing unit: the session, project or org that was drawn. */
  readonly unit: string;
}

/** One turn's end: when its handler returned, or when the engine's turn settled. */
export interface Outcome extends Exposure, TurnOutcome {
  readonly error: unknown;
  /** Of a failed or incomplete turn. */
  readonly signature?: ErrorSignature;
  /** From the call of the engine to its end. */
  readonly latencyMs: number;
  readonly at: number;
  /** Legacy answered after the new engine failed. */
  readonly fellBack: boolean;
}

/** The rows of a finished turn of the new engine, read back. */
export interface Verification extends Exposure {
  /** Every row is there. */
  readonly complete: boolean;
}

/** Told what the router does. What it throws goes to the log. */
export interface RouteObserver {
  exposed?(exposure: Exposure): void;
  finished?(outcome: Outcome): void;
  verified?(verification: Verification): void;
  /** A session went back from the new engine to legacy. */
  cut?(event: {
    readonly flag: string;
    readonly session: string;
    readonly decision: Decision;
    readonly handedOver: boolean;
  }): void;
  breakerOpened?(event: {
    readonly flag: string;
    readonly forMs: number;
    readonly cause: "consecutive" | "share";
  }): void;
  breakerClosed?(event: { readonly flag: string }): void;
  /** `new` was refused, or an assignment could not be read or written. */
  warned?(event: { readonly flag: string; readonly session: string | undefined; readonly error: HebraError }): void;
}

/** The data plane: between a legacy handler and the new one, a turn at a time. */
export interface Router {
  /**
   * Serves one turn of a session. Turns of one session must come one after another, as they do from the bus; a cut
   * waits for the new engine's turn in flight. A turn whose answer has a `result` is in flight until that settles.
   *
   * @returns what the handler returned.
   * @throws what the handler threw; `ABORTED` when a kill or the caller cut the turn off.
   */
  route<L, N = L>(flag: string, context: FlagContext, handlers: RouteHandlers<L, N>): Promise<L | N>;
  /** Ends a session's assignment; the next turn draws again. */
  end(flag: string, session: string, org?: string): Promise<void>;
  /** What is stored of a session. */
  assignment(flag: string, session: string, org?: string): Promise<import("./assignment.ts").Assignment | undefined>;
  /** Lets go of timers and of the flags; turns in flight go on. */
  close(): void;
}
