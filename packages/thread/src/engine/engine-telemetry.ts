import type { JsonObject } from "@hebra/core";
import type { LockManager } from "@hebra/lock";
import type { ActionSpec, Reactor, ReactorInput } from "@hebra/reactor";
import type { Answer, AnswerListener } from "./turn/answer.ts";
import type { PreparedCall } from "./turn/prepare-calls.ts";
import type { CallResult } from "./turn/call-result.ts";
import type { CallRow, ExecutionRow } from "../store/rows.ts";

/** Why a turn is taken up again: its process is gone, or a person has decided. */
export type ResumeCause = "cut-off" | "decision";

/**
 * What an engine tells of its work. Everything that is passed in is there already: what is said of it is made up
 * inside, and
 * where nobody listens it is not made up at all.
 */
export interface EngineTelemetry {
  /** The same locks, heard. */
  locks(locks: LockManager): LockManager;
  /** What a trigger is correlated with, together with the span in which it was accepted. */
  caused(correlation: JsonObject): JsonObject;
  /** A turn begins in this process, or goes on in it. */
  turn(tenant: string, execution: ExecutionRow, resumed?: ResumeCause): TurnTelemetry;
  /** A turn ended that never ran. */
  neverRan(execution: ExecutionRow): void;
  /** A trigger came once more. */
  duplicate(definition: string): void;
  /** A trigger joined a turn that was there already. */
  injected(definition: string, policy: string): void;
  /** Something failed that may have been a write of a holder who was replaced. */
  failed(error: unknown): void;
}

/** What a turn tells while it is in this process. */
export interface TurnTelemetry {
  /** What the turn is stored with: the trace is in it, so that whoever takes the turn up goes on with it. */
  readonly correlation: JsonObject;
  /** Runs a function inside the turn's span. */
  run<T>(fn: () => T): T;
  /** One try at one answer. */
  modelCall(reactor: Reactor, input: ReactorInput): ModelCallTelemetry;
  /** The calls that an answer asked for: those that will not run are counted. */
  asked(calls: readonly PreparedCall[]): void;
  actionCall(call: CallRow, spec: ActionSpec): ActionCallTelemetry;
  /** The result of a call goes on record. */
  settled(call: CallRow, result: CallResult): void;
  retried(of: "model" | "action" | "write"): void;
  stepEnded(outcome: string): void;
  /** The turn has ended, or waits for a person. */
  ended(execution: ExecutionRow): void;
  /** Another process will go on with the turn. */
  givenUp(error: unknown): void;
}

/** What a model call tells. */
export interface ModelCallTelemetry {
  run<T>(fn: () => T): T;
  /** Notes when the answer begins to come. */
  listen(listener: AnswerListener): AnswerListener;
  answered(answer: Answer): void;
  /** @param stopped - nobody wants the answer any more. */
  failed(error: unknown, answer: Answer, stopped: boolean): void;
}

/** What an action call tells. */
export interface ActionCallTelemetry {
  run<T>(fn: () => T): T;
  retried(): void;
  finished(result: CallResult): void;
}

const nothing = (): void => {};
const run = <T>(fn: () => T): T => fn();
const noModelCall: ModelCallTelemetry = { run, listen: (listener) => listener, answered: nothing, failed: nothing };
const noActionCall: ActionCallTelemetry = { run, retried: nothing, finished: nothing };

/** What stands in where nobody listens. */
export const noTelemetry: EngineTelemetry = {
  locks: (locks) => locks,
  caused: (correlation) => correlation,
  turn: (_tenant, { correlation }) => ({
    correlation,
    run,
    modelCall: () => noModelCall,
    asked: nothing,
    actionCall: () => noActionCall,
    settled: nothing,
    retried: nothing,
    stepEnded: nothing,
    ended: nothing,
    givenUp: nothing,
  }),
  neverRan: nothing,
  duplicate: nothing,
  injected: nothing,
  failed: nothing,
};
