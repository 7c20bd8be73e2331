import type {
  AnyThread,
  LegacyThreadOptions,
  StoredContext,
  ThreadEnvironment,
  ThreadItem,
  ThreadModelInit,
  ThreadReactor,
  ThreadShouldContinueArgs,
  ThreadTool,
} from "./types.ts";

type Awaitable<T> = T | Promise<T>;

/** What the engine asks of a thread. The class has these as protected members, for subclasses. */
export interface ThreadHooks {
  readonly definitionName: string;
  readonly opts: LegacyThreadOptions;
  /** Whether `expandEvents` is more than the default, which changes nothing. */
  readonly expandsEvents: boolean;
  initialize(context: StoredContext, env: ThreadEnvironment): Awaitable<unknown>;
  expandEvents(events: ThreadItem[], context: StoredContext, env: ThreadEnvironment): Awaitable<ThreadItem[]>;
  buildSystemPrompt(context: StoredContext, env: ThreadEnvironment): Awaitable<string>;
  buildTools(context: StoredContext, env: ThreadEnvironment): Awaitable<Record<string, ThreadTool>>;
  getModel(context: StoredContext, env: ThreadEnvironment): ThreadModelInit;
  getReactor(context: StoredContext, env: ThreadEnvironment): ThreadReactor;
  shouldContinue(args: ThreadShouldContinueArgs): Awaitable<boolean>;
}

/** The members of a thread that only its subclasses and the engine may use. */
export const hooksOf = (thread: AnyThread): ThreadHooks => thread as unknown as ThreadHooks;
