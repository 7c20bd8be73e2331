import type { ConversationLease } from "@hebra/bus";
import type { Lease } from "@hebra/lock";
import type { BusyPolicy } from "../definition/policy.ts";
import type { TurnHandle } from "../engine/handle.ts";
import type { Trigger } from "../engine/trigger.ts";
import type { RoutedTurn } from "./engine-router.ts";

/** A turn that is to begin under a conversation's lease. */
export interface TurnRequest {
  readonly tenure: ConversationLease;
  /** For the new engine, which releases it. */
  readonly lease: Lease;
  /** The new engine's definition. */
  readonly definition: string;
  readonly trigger: Trigger;
  readonly whenBusy?: BusyPolicy;
  /** Ends the turn when it aborts: the caller has gone. */
  readonly signal?: AbortSignal;
}

/** A turn that has begun, or one that a busy thread has refused. */
export type SwitchedTurn = RoutedTurn | { readonly engine: "busy"; readonly error: unknown };

/** Begins each turn with the engine that its session has. */
export interface EngineSwitch {
  /** @throws HebraError what the chosen engine throws */
  begin(request: TurnRequest): Promise<SwitchedTurn>;
  /** A message reached the conversation in mid-turn: it goes to the engine that runs. */
  join(request: Omit<TurnRequest, "lease">): Promise<TurnHandle>;
  /** Resumes what the new engine has left open in a context, and reports how it comes out. */
  resume(tenure: ConversationLease, contextId: string, lease: Lease): Promise<void>;
}
