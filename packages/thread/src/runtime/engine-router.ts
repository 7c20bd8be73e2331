import type { JsonObject } from "@hebra/core";
import type { TurnHandle } from "../engine/handle.ts";
import type { TurnResult } from "../engine/rows/turn-result.ts";
import type { LegacyResult } from "./legacy-engine.ts";
import type { RouterOutcome } from "./router-outcome.ts";

/** Whose turn it is. */
export interface RouterContext {
  /** The conversation. */
  readonly session: string;
  /** The conversation's tenant. */
  readonly org: string;
  readonly project?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** What `flagContext` is given of a turn. */
export interface FlagSubject {
  readonly tenant: string;
  /** The conversation. */
  readonly session: string;
  readonly channel: string | undefined;
  /** The message's. */
  readonly metadata: JsonObject;
}

/** One turn, as the router gives it to an engine. */
export interface RouterTurn {
  /** Aborts when a kill ends the turn before its time. */
  readonly signal: AbortSignal;
}

/** A session that changes its engine. */
export interface SwitchRequest {
  readonly session: string;
  /** When the session came to the new engine, in milliseconds since the epoch; `undefined` when nobody knows. */
  readonly since: number | undefined;
  /** Stable for this switch. */
  readonly id: string;
}

/** A turn that an engine has begun. */
export type RoutedTurn =
  | {
      readonly engine: "new";
      readonly handle: TurnHandle;
      readonly result: Promise<TurnResult>;
      readonly verified: Promise<boolean | undefined>;
    }
  | {
      readonly engine: "legacy";
      readonly result: Promise<LegacyResult>;
      /** What the old engine streamed, from its first chunk on; each iteration reads anew. */
      readonly chunks: AsyncIterable<object>;
    };

/** What the runtime gives the router. */
export interface RouterHandlers<Turn> {
  legacy(turn: RouterTurn): Promise<Turn>;
  next(turn: RouterTurn): Promise<Turn>;
  handover?(request: SwitchRequest): Promise<void>;
  catchUp?(request: SwitchRequest): Promise<void>;
  /** Asked for a session whose assignment is not known. */
  servedByNew(): Promise<boolean>;
  readonly withoutHandover: boolean;
  readonly inFlight: boolean;
  /** `undefined` leaves the judgement to the router. */
  outcome(turn: Turn): RouterOutcome | undefined | Promise<RouterOutcome>;
}

/**
 * Decides which engine serves a session's turn, and hears how it came out: the router of `@hebra/flags`, or one with
 * the same verb.
 */
export interface EngineRouter {
  /**
   * Calls one of `legacy` and `next`, after `handover` or `catchUp` where the session changes its engine. One session's
   * turns come one after another.
   *
   * @returns what the handler returned. @throws what the handler threw
   */
  route<Turn extends { readonly result: Promise<{ readonly status: string }> }>(
    flag: string,
    context: RouterContext,
    handlers: RouterHandlers<Turn>,
  ): Promise<Turn>;
}
