import { HebraError, type Clock, type JsonValue, type Logger } from "@hebra/core";
import type { Reactor } from "@hebra/reactor";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import type { NormalAction } from "../../definition/normalize-action.ts";
import type { ItemRow } from "../../store/rows.ts";
import type { ThreadStore } from "../../store/store.ts";
import type { AnyEvent } from "../../stream/envelope.ts";
import type { TurnTelemetry } from "../engine-telemetry.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import type { SummaryCache } from "../prompt/prompt.ts";
import type { Shown } from "../prompt/transcript.ts";
import type { TurnRows } from "../rows/draft.ts";
import { createRecorder, type Recorder } from "../rows/recorder.ts";
import type { Answer, AnswerLimits } from "./answer.ts";
import { createLiveWriter, type LiveWriter } from "./live-writer.ts";
import type { FinishedCall } from "./run-call.ts";
import type { TurnEvent, TurnState } from "./turn-state.ts";

/** What a turn needs of its process. */
export interface TurnEnvironment {
  tenant: string;
  threadKey: string;
  store: ThreadStore;
  definition: AnyThreadDefinition;
  reactor: Reactor;
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** Items of history that the model is shown. */
  historyItems: number;
  /** Milliseconds that a settled call waits for its siblings before it is recorded without them. */
  settleWindowMs: number;
  /** How often a turn may be begun and resumed before it fails. */
  maxAttempts: number;
  /** What one answer may hold. */
  answerLimits: AnswerLimits;
  /** Turns a `blob:` reference into what a model can read. */
  readFile: ((url: string) => Promise<string>) | undefined;
  /** Keeps results that are too long for rows. */
  blobs: BlobStore | undefined;
  /** Outages of the store are waited out. */
  patient: boolean;
  /** Why this process could not go on with the conversation before, if so. */
  lastFailure: unknown;
  publish(event: AnyEvent): void;
  /** Resolves when readers elsewhere can see what was published, or are told that they missed it. */
  flush(executionId: string): Promise<void>;
  /** The turn as the store has it, under a fence; nothing when it does not run any more. */
  reload(executionId: string, fence: number): Promise<ReloadedWork | undefined>;
  /** What an ended turn sends: see `EngineOptions.outbox`. */
  outgoing?: ((rows: TurnRows) => readonly JsonValue[]) | undefined;
}

/** Where a turn begins or goes on. */
export interface TurnWork {
  rows: TurnRows;
  state: TurnState;
  telemetry: TurnTelemetry;
  resumed: boolean;
  /** Input that this turn was given before it was resumed. */
  steered: { item: ItemRow; iteration: number }[];
  fence: number;
  /** The inbox as far as it is known. */
  inboxSeq: number;
  /** Outbox rows that were handed over since the last write. */
  handedOver: readonly string[];
  /** Aborts when the lease is lost or the process stops: the turn is left to the next holder. */
  signal: AbortSignal;
  /** Milliseconds that the turn has waited for people so far: they do not count against its time. */
  waitedMs: number;
  /** The turn is to be cancelled, and nothing else: its definition is gone. */
  onlyCancel?: boolean;
}

/** What is read of a turn that goes on. */
export type ReloadedWork = Pick<
  TurnWork,
  "rows" | "state" | "steered" | "handedOver" | "resumed" | "inboxSeq" | "waitedMs"
>;

/** How a turn left this process. */
export interface TurnEnd {
  rows: TurnRows;
  inboxSeq: number;
  /** It waits for people, and holds no worker meanwhile. */
  parked: boolean;
}

/** Takes one event off the queue; `undefined` when it no longer matters. */
export type NextEvent = () => TurnEvent | undefined | Promise<never>;

/** Everything that a running turn keeps. The parts of the loop share it and change it in place. */
export interface RunningTurn {
  readonly environment: TurnEnvironment;
  readonly work: TurnWork;
  readonly recorder: Recorder;
  readonly rows: TurnRows;
  readonly executionId: string;
  readonly live: LiveWriter;
  /** Aborts what runs beside the loop: models and actions. */
  readonly stop: AbortController;
  /** What the definition's `services` made. */
  services: unknown;
  state: TurnState;
  inboxSeq: number;
  /** Input that was recorded, with the iteration before which it was. */
  readonly steered: { item: ItemRow; iteration: number }[];
  /** The turn is to be cancelled with all messages that joined it. */
  cancelsJoined: boolean;
  /** Input that was found and not yet recorded. */
  readonly waitingInput: ItemRow[];
  /** Calls that have finished and are not yet recorded. */
  readonly staged: Map<string, FinishedCall>;
  /** Calls of the last answer with what runs them. */
  readonly runnable: Map<string, { action: NormalAction; input: unknown }>;
  /** The answer that is being read. */
  growing: Answer | undefined;
  /** The history before the turn, read once. */
  history: Promise<Shown[]> | undefined;
  /** What was left out of prompts, in words. */
  readonly summaries: SummaryCache;
  /** The last reading of the inbox. */
  folding: Promise<void>;
  readonly queue: NextEvent[];
  /** Stops the clock of the step's settle window. */
  cancelWindow(): void;
  /** Continues the loop when it waits for an event. */
  wake(): void;
}

export function createRunningTurn(environment: TurnEnvironment, work: TurnWork): RunningTurn {
  const { tenant, clock, publish } = environment;
  const recorder = createRecorder(tenant, work.rows, () => clock.now(), environment.outgoing);
  const { rows } = recorder;
  const executionId = rows.execution.id;
  return {
    environment,
    work,
    recorder,
    rows,
    executionId,
    live: createLiveWriter({
      tenant,
      contextId: rows.context.id,
      executionId,
      fence: work.fence,
      now: () => clock.now(),
      seq: () => rows.context.seq,
      publish,
    }),
    stop: new AbortController(),
    services: undefined,
    state: work.state,
    inboxSeq: work.inboxSeq,
    steered: [...work.steered],
    cancelsJoined: false,
    waitingInput: [],
    staged: new Map(),
    runnable: new Map(),
    growing: undefined,
    history: undefined,
    summaries: {},
    folding: Promise.resolve(),
    queue: [],
    cancelWindow: () => {},
    wake: () => {},
  };
}

/** Adds an event to the turn's queue. */
export function push(turn: RunningTurn, next: NextEvent): void {
  turn.queue.push(next);
  turn.wake();
}

/** Why the turn's lease is gone. */
export function lostReason({ work: { signal } }: RunningTurn): Error {
  return signal.reason instanceof Error
    ? signal.reason
    : new HebraError("LOCK_LOST", "The lease of the thread was lost.");
}

/** Keeps the turn from beginning work that another holder may have begun too. @throws HebraError `LOCK_LOST` */
export function assertHeld(turn: RunningTurn): void {
  if (turn.work.signal.aborted) throw lostReason(turn);
}
