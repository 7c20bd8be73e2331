// The old engine's own types held `any` wherever content was the application's. Hosts were written against that.
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
export type Loose = any;

/** @deprecated What a turn is run with; the new engine's `services` take its place. */
export type ThreadEnvironment = object;

/** @deprecated Use `Address`. */
export type ContextIdentifier = { id: string; key?: never } | { key: string; id?: never };
/** @deprecated Use `Address`. */
export type ThreadIdentifier = ContextIdentifier;

/** @deprecated Use `ContextRow`; `content` is its `state`. */
export interface StoredContext<Context = Loose> {
  id: string;
  threadId?: string;
  key: string | null;
  status: "open" | "streaming" | "closed";
  createdAt: Date;
  updatedAt?: Date;
  content: Context | null;
}

/** @deprecated Use `ThreadRow`. */
export interface StoredThread {
  id: string;
  key: string | null;
  name?: string | null;
  status: "open" | "streaming" | "closed" | "failed";
  createdAt: Date;
  updatedAt?: Date;
}

/** @deprecated Use `Trigger` for what starts a turn, and `ItemRow` with its parts for what is read. */
export interface ThreadItem {
  id: string;
  type: string;
  channel: string;
  createdAt: string;
  status?: string;
  /** `{ parts }`, in the AI SDK's UI message format. */
  content: Loose;
}

/** @deprecated Use an action made by `defineAction`, or the AI SDK's tool as it is. */
export interface ThreadTool {
  description?: string | undefined;
  inputSchema: unknown;
  outputSchema?: unknown;
  execute?: ((input: Loose, options: Loose) => unknown) | undefined;
  needsApproval?: boolean | ((input: Loose, options: Loose) => unknown) | undefined;
  /** `false` asks a person first. @defaultValue true */
  auto?: boolean;
}

/** @deprecated Use `defineThread`'s `model`. An id, an instance, or a function that makes one. */
export type ThreadModelInit = Loose;

/** One chunk of a turn's stream, in the AI SDK's UI message stream format. */
export type LegacyChunk = { type: string; [member: string]: Loose };

/** @deprecated Use the engine's `policy` and the handle's `stream`. */
export interface ThreadStreamOptions {
  /** Model answers in a turn; one more fails it. @defaultValue 20 */
  maxIterations?: number;
  /** Handed to reactors; it never had an effect on tools that the engine runs. @defaultValue 1 */
  maxModelSteps?: number;
  /** Leaves the stream open. @defaultValue false */
  preventClose?: boolean;
  /** Writes `finish` at the end. @defaultValue true */
  sendFinish?: boolean;
  /** Writes nothing. @defaultValue false */
  silent?: boolean;
  /** Where chunks go. @defaultValue what the runtime's `writable` opens, else nowhere */
  writable?: WritableStream<Loose>;
}

/** @deprecated The hooks of `createThread(…).opts(…)`; `ThreadOptions` of the root is another thing now. */
export interface LegacyThreadOptions<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment> {
  onContextCreated?: (args: { env: Env; context: StoredContext<Context> }) => void | Promise<void>;
  onContextUpdated?: (args: { env: Env; context: StoredContext<Context> }) => void | Promise<void>;
  /** Called when an answer is whole, which may be a moment before it is stored; not waited for. */
  onEventCreated?: (event: ThreadItem) => void | Promise<void>;
  /** Called for each call, in order, once all of an answer have settled and are stored. */
  onToolCallExecuted?: (execution: Loose) => void | Promise<void>;
  /** Called with an answer that asks for nothing; `{ end: false }` asks the model once more. */
  onEnd?: (lastEvent: ThreadItem) => void | boolean | { end?: boolean } | Promise<void | boolean | { end?: boolean }>;
}

/** @deprecated Use `ReactOptions`. */
export interface ThreadReactParams<Env extends ThreadEnvironment = ThreadEnvironment> {
  env: Env;
  /** Nothing makes a new thread. */
  context?: ContextIdentifier | null;
  options?: ThreadStreamOptions;
}

/** @deprecated The old calling convention with one object. */
export interface LegacyReactParams<Env extends ThreadEnvironment = ThreadEnvironment> {
  env: Env;
  triggerEvent?: ThreadItem;
  incomingEvent?: ThreadItem;
  contextIdentifier?: ContextIdentifier | null;
  context?: ContextIdentifier | null;
  options?: ThreadStreamOptions;
}

/** @deprecated Use `TurnResult` and the members of `TurnHandle`. */
export interface ThreadReactResult<Context = Loose> {
  contextId: string;
  context: StoredContext<Context>;
  triggerEventId: string;
  reactionEventId: string;
  executionId: string;
}

/** @deprecated A call that a model asked for. */
export interface ThreadReactionToolCall {
  toolCallId: string;
  toolName: string;
  args: Loose;
}

/** @deprecated Use `Usage`. */
export interface ThreadReactionLLM {
  provider?: string;
  model?: string;
  promptTokens?: number;
  promptTokensCached?: number;
  promptTokensUncached?: number;
  completionTokens?: number;
  totalTokens?: number;
  latencyMs?: number;
  rawUsage?: unknown;
  rawProviderMetadata?: unknown;
}

/** @deprecated What `shouldContinue` is asked with. */
export interface ThreadShouldContinueArgs<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment> {
  env: Env;
  context: StoredContext<Context>;
  /** All that the turn has answered so far, results merged in. */
  reactionEvent: ThreadItem;
  /** The last answer as the model gave it. */
  assistantEvent: ThreadItem;
  toolCalls: Loose[];
  toolExecutionResults: { tc: Loose; success: boolean; output: Loose; errorText?: string }[];
}

/** @deprecated Use `ReactorInput`. */
export interface ThreadReactorParams<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment> {
  env: Env;
  context: StoredContext<Context>;
  contextIdentifier: ContextIdentifier;
  triggerEvent: ThreadItem;
  model: ThreadModelInit;
  systemPrompt: string;
  actions: Record<string, unknown>;
  toolsForModel: Record<string, { description?: string; inputSchema: unknown }>;
  eventId: string;
  executionId: string;
  contextId: string;
  stepId: string;
  iteration: number;
  maxModelSteps: number;
  sendStart: boolean;
  silent: boolean;
  /** Chunks that are written here go to the caller of `react`, when that is this process. */
  writable: WritableStream<Loose>;
}

/** @deprecated Use the events of `Reactor`. */
export interface ThreadReactionResult {
  assistantEvent: ThreadItem;
  toolCalls?: ThreadReactionToolCall[];
  /** The later spelling of `toolCalls`. */
  actionRequests?: { actionRef: string; actionName: string; input: Loose }[];
  messagesForModel?: Loose[];
  llm?: ThreadReactionLLM;
}

/** @deprecated Use `Reactor`: an async iterable of events, with history and a signal. */
export type ThreadReactor<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment> = (
  params: ThreadReactorParams<Context, Env>,
) => Promise<ThreadReactionResult>;

/** A thread of any types, as its callers see it. */
export interface AnyThread {
  react(triggerEvent: ThreadItem, params: ThreadReactParams<Loose>): Promise<ThreadReactResult>;
  stream(triggerEvent: ThreadItem, params: ThreadReactParams<Loose>): Promise<ThreadReactResult>;
}
