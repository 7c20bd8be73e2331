import type { Clock, JsonValue, Logger, Telemetry } from "@hebra/core";
import type { Lease, LockManager } from "@hebra/lock";
import type { AnyThreadDefinition, ThreadDefinition } from "../definition/define-thread.ts";
import type { BlobStore } from "./blobs/blob-store.ts";
import type { BusyPolicy } from "../definition/policy.ts";
import type { ApprovalRow, ContextRow } from "../store/rows.ts";
import type { HistoryEntry, ThreadRef, ThreadStore } from "../store/store.ts";
import type { LiveTail } from "../stream/live-tail.ts";
import type { ThreadTelemetryOptions } from "./telemetry-options.ts";
import type { Comparison } from "./compare.ts";
import type { EndedTurn } from "./ended-turn.ts";
import type { TurnHandle } from "./handle.ts";
import type { AnswerLimits } from "./turn/answer.ts";
import type { Trigger } from "./trigger.ts";
import type { EngineHealth } from "./engine-health.ts";
import type { HistoryOptions } from "./history-options.ts";

/** Where a thread is: its tenant, and one of its names. */
export type Address = ThreadRef & {
  /** @defaultValue "default" */
  tenant?: string;
};

/** How an engine is put together. */
export interface EngineOptions {
  /** Where threads live. */
  store: ThreadStore;
  /** The definitions that this process can run. */
  threads: readonly AnyThreadDefinition[];
  /**
   * One lease a thread, shared by all processes that use the store.
   *
   * @defaultValue `storeLocks(store)` for a store that several hosts share (PostgreSQL, Redis); else locks of this
   * process alone: pass `storeLocks(store)` where several processes use one SQLite file
   */
  locks?: LockManager;
  /** Items of history that a model is shown; turns are never cut. @defaultValue 40 */
  historyItems?: number;
  /**
   * Milliseconds that a settled action call waits for its siblings before it is recorded without them. @defaultValue
   * 250
   */
  settleWindowMs?: number;
  /** Milliseconds that a lease outlives a process that stopped renewing it. @defaultValue 30 000 */
  leaseTtlMs?: number;
  /** How often a turn may be begun and resumed after crashes before it ends as `failed`. @defaultValue 5 */
  maxAttempts?: number;
  /** What one answer of a model may hold; a larger one fails its turn as `ANSWER_TOO_LARGE`. */
  answerLimits?: Partial<AnswerLimits>;
  /**
   * Milliseconds between two looks for turns without an owner, the first at the start. `false`: only `recover` looks.
   *
   * @defaultValue `leaseTtlMs`; `false` with `wake`
   */
  recoverEveryMs?: number | false;
  /**
   * Turns a `blob:` reference of a file part into a URL that a model can read: a `data:` URL or a signed link.
   * Attachments
   * are so kept by reference, and never in the rows. @defaultValue references are passed on as they are
   */
  readFile?: (url: string) => Promise<string>;
  /**
   * Keeps results of actions that are longer than the definition's `prompt.maxResultCharacters`; rows and events then
   * hold their beginning as `{ $blob, characters, head }`. @defaultValue rows hold them whole
   */
  blobs?: BlobStore;
  clock?: Clock;
  /** From 0 to 1, for back-off. @defaultValue Math.random */
  random?: () => number;
  /** @defaultValue one that says nothing */
  logger?: Logger;
  /**
   * Spans and metrics: who takes them, or what they may say. @defaultValue OpenTelemetry where it is installed, without
   * anything that was said
   */
  telemetry?: Telemetry | ThreadTelemetryOptions;
  /**
   * What goes out when a turn has ended, for the outbox, in the write that ends it. It may be called again: no effects,
   * no throwing. @defaultValue nothing
   */
  outbox?: (turn: EndedTurn) => readonly JsonValue[];
  /**
   * Carries deltas to readers in other processes: `redisTail`, `postgresTail`. Without one they get whole parts from
   * the store. The engine does not close it. @defaultValue none
   */
  tail?: LiveTail;
  /**
   * Says that a thread has something to go on with: a decision, an orphan. @defaultValue this process waits for its
   * lease and goes on itself
   */
  wake?: (thread: { tenant: string; threadKey: string; contextId: string }) => void;
}

/** How a trigger is to be taken. */
export interface ReactOptions {
  address: Address;
  /** What to do when the thread is busy. @defaultValue the definition's */
  whenBusy?: BusyPolicy;
  /** Cancels the turn when it aborts. */
  signal?: AbortSignal;
  /** The thread's lease, held by the caller. The engine works under it and releases it when nothing is left to run. */
  lease?: Lease;
  /**
   * With `lease`: called between two turns that run under it, for what an ended one has to send. It must not throw.
   *
   * @defaultValue nothing is done
   */
  betweenTurns?: () => Promise<void>;
}

/** A definition of any state and services, whose turns have outputs of a type. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- definitions of different types meet here
export type DefinitionOf<Output> = ThreadDefinition<any, any, Output>;

/** How a message is sent. */
export interface SendOptions extends Omit<ReactOptions, "address"> {
  /** The application's own id of the message, unique in the thread. @defaultValue a new one */
  id?: string;
}

/** One conversation: made by `engine.thread`. */
export interface Conversation<Output = JsonValue> {
  readonly address: Address;
  /**
   * Sends a message: text, or a whole trigger. When it resolves, the message is stored.
   *
   * @throws HebraError as `Engine.react`
   */
  send(message: string | Trigger, options?: SendOptions): Promise<TurnHandle<Output>>;
  /** Items with their parts, oldest first; nothing before the first message. @throws HebraError `INVALID_OPTIONS` */
  history(options?: HistoryOptions): Promise<HistoryEntry[]>;
  /** What people are asked now; see `Engine.approve` and `Engine.deny`. */
  approvals(): Promise<ApprovalRow[]>;
  /** Cancels the turn that runs or waits, if any, and what waits in line. @returns how many turns were asked to end */
  cancel(options?: { by?: string; reason?: string }): Promise<number>;
  /** The state document as of the last write. @throws HebraError `THREAD_NOT_FOUND` */
  state(): Promise<JsonValue>;
  /** Adds a line of history up to an item. @throws HebraError as `Engine.fork` */
  fork(options: { atItemId: string; id?: string }): Promise<Conversation<Output>>;
}

/** Runs turns. */
export interface Engine {
  /**
   * Takes a trigger. When it resolves, the trigger is stored: the turn will run even if this process dies now.
   *
   * @throws HebraError `TRIGGER_MISMATCH`, `THREAD_BUSY`, `CONTEXT_CLOSED`, `CONTEXT_MIGRATING`, `DEFINITION_MISSING`,
   * `INVALID_ID`, `INVALID_OPTIONS`, `NOT_SERIALIZABLE`, `PEER_MISSING`, and what the store throws.
   */
  react<Output = JsonValue>(
    definition: DefinitionOf<Output> | string,
    trigger: Trigger,
    options: ReactOptions,
  ): Promise<TurnHandle<Output>>;
  /** Sees to it that what is queued, orphaned or decided in a thread runs. @throws HebraError `THREAD_NOT_FOUND` */
  resume(address: Address, options?: { lease?: Lease }): Promise<void>;
  /**
   * Stores a trigger without running it: `react`, `resume` or `recover` of any process will. @throws HebraError as
   * `react`
   */
  enqueue<Output = JsonValue>(
    definition: DefinitionOf<Output> | string,
    trigger: Trigger,
    options: Pick<ReactOptions, "address" | "whenBusy">,
  ): Promise<TurnHandle<Output>>;
  /**
   * One conversation of a definition: the same verbs, without naming it each time.
   *
   * @example
   * ```ts
   * import type { Engine, ThreadDefinition } from "@hebra/thread";
   *
   * export async function ask(engine: Engine, support: ThreadDefinition, text: string): Promise<string> {
   *   const conversation = engine.thread(support, { key: "customer-7" });
   *   return (await (await conversation.send(text)).result).text;
   * }
   * ```
   */
  thread<Output = JsonValue>(definition: DefinitionOf<Output>, address: Address): Conversation<Output>;
  /** A handle on any turn. @throws HebraError `EXECUTION_NOT_FOUND` */
  follow(executionId: string, options?: { tenant?: string }): Promise<TurnHandle>;
  /**
   * Ends a turn wherever it runs; what it has answered so far is kept. Messages that joined it, by `merge` or `steer`,
   * go on as turns of their own.
   *
   * @param options - `joined`: they are cancelled too. @defaultValue false
   * @throws HebraError `EXECUTION_NOT_FOUND`
   */
  cancel(
    executionId: string,
    options?: { tenant?: string; by?: string; reason?: string; joined?: boolean },
  ): Promise<void>;
  /**
   * Lets a waiting call run, with the model's input or a corrected one. Of a call that was cut off (see
   * `whenInterrupted`), it
   * says that the call took effect, and what it gave.
   *
   * @throws HebraError `APPROVAL_NOT_FOUND`, `APPROVAL_DECIDED`, `APPROVAL_EXPIRED`, `ACTION_INPUT_INVALID`,
   * `ACTION_OUTPUT_INVALID`, `INVALID_OPTIONS`
   */
  approve(
    approvalId: string,
    options?: { tenant?: string; by?: string; comment?: string; input?: JsonValue; output?: JsonValue },
  ): Promise<ApprovalRow>;
  /**
   * Gives the result of a call that runs elsewhere, such as a `tool()` without `execute` in a browser. The turn waits
   * for it, and goes on.
   *
   * @param callRowId - `callRowId` of one of the turn's `approvals`
   * @throws HebraError `APPROVAL_NOT_FOUND` when the call waits for no result, `APPROVAL_DECIDED`,
   * `ACTION_OUTPUT_INVALID`
   */
  provideResult(callRowId: string, output: JsonValue, options?: { tenant?: string; by?: string }): Promise<void>;
  /**
   * Refuses a waiting call, or says that one that was cut off did not take effect; the model is told. @throws
   * HebraError as `approve`
   */
  deny(approvalId: string, options?: { tenant?: string; by?: string; comment?: string }): Promise<ApprovalRow>;
  /**
   * Items with their parts, oldest first: the newest ones, as a model is shown them, or a page.
   *
   * @param options - `items`: how many, counted from the newest, without cutting a turn. @defaultValue the engine's
   * `historyItems`. For a page: `before` and `after` are sequence numbers of items (`item.seq`), which are left out
   * themselves; `limit` is how many. @defaultValue 50
   * @throws HebraError `THREAD_NOT_FOUND`, `INVALID_OPTIONS`
   */
  history(address: Address, options?: HistoryOptions): Promise<HistoryEntry[]>;
  /** The context at an address. @throws HebraError `THREAD_NOT_FOUND` */
  context(address: Address): Promise<ContextRow>;
  /**
   * Adds a line of history that shares another's up to an item, with the state document as it was then: at a reaction,
   * after
   * its turn. Turns in it are begun with its `contextId` as the address.
   *
   * @param options - `id`: of the new context; the same again is the same fork. @defaultValue a new one
   * @throws HebraError `THREAD_NOT_FOUND`, `ITEM_NOT_FOUND`
   */
  fork(address: Address, options: { atItemId: string; id?: string }): Promise<ContextRow>;
  /**
   * Where two lines of history part, and what each became: a fork and what it was forked from, or two forks. @throws
   * HebraError `THREAD_NOT_FOUND`
   */
  compare(left: Address, right: Address): Promise<Comparison>;
  /**
   * Finds turns that were cut off, that wait in line behind none, or that were decided, cancelled or have expired while
   * they wait for a person, and resumes those whose lease nobody holds. An engine does it by itself at its start and
   * from time to time: see `recoverEveryMs`.
   *
   * @param options - `olderThanMs`: only turns to which nothing was written for so long. @defaultValue 0, the lease
   * decides; `limit`: how many of each kind. @defaultValue 100
   * @returns how many were resumed
   */
  recover(options?: { olderThanMs?: number; limit?: number }): Promise<number>;
  /**
   * What is stuck and why: conversations that this process could not go on with, turns whose definition is missing, and
   * whether the store answers. Never throws.
   */
  health(): Promise<EngineHealth>;
  /** Resolves when this process runs no turn. */
  idle(): Promise<void>;
  /** Stops. Turns that run are left in the store, to be resumed. The store stays open. */
  close(): Promise<void>;
}
