import type { HebraError } from "@hebra/core";
import type { Decision, FlagContext, Mode } from "../evaluate/types.ts";

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

/** The two engines behind a flag. */
export interface RouteHandlers<T> {
  readonly legacy: (turn: RouteTurn) => T | Promise<T>;
  readonly next: (turn: RouteTurn) => T | Promise<T>;
  /** Called after legacy answered a shadowed turn; never awaited, and what it throws goes to the log. */
  readonly shadow?: (turn: RouteTurn, answer: T) => void | Promise<void>;
  /**
   * Maps the new engine's turns into legacy rows, once, before the first legacy turn after a cut. Idempotent by `id`.
   */
  readonly handover?: (request: HandoverRequest) => void | Promise<void>;
  /** The host accepts that after a cut legacy does not know the new engine's turns. */
  readonly withoutHandover?: boolean;
  /** Whether a turn on which `next` failed may be run again on legacy. @defaultValue false */
  readonly safeToRepeat?: boolean | ((failure: unknown) => boolean);
  readonly signal?: AbortSignal;
}

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
}

/** One turn's end. */
export interface Outcome extends Exposure {
  readonly ok: boolean;
  readonly error: unknown;
  readonly latencyMs: number;
  readonly at: number;
  /** Legacy answered after the new engine failed. */
  readonly fellBack: boolean;
}

/** Told what the router does. What it throws goes to the log. */
export interface RouteObserver {
  exposed?(exposure: Exposure): void;
  finished?(outcome: Outcome): void;
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
   * waits for the new engine's turn in flight.
   *
   * @returns what the handler returned.
   * @throws what the handler threw; `ABORTED` when a kill or the caller cut the turn off.
   */
  route<T>(flag: string, context: FlagContext, handlers: RouteHandlers<T>): Promise<T>;
  /** Ends a session's assignment; the next turn draws again. */
  end(flag: string, session: string): Promise<void>;
  /** What is stored of a session. */
  assignment(flag: string, session: string): Promise<import("./assignment.ts").Assignment | undefined>;
  /** Lets go of timers and of the flags; turns in flight go on. */
  close(): void;
}
