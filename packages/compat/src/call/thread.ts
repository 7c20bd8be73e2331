import { createAiSdkReactor } from "./ai-sdk-reactor.ts";
import { reactTo } from "./react.ts";
import type {
  LegacyReactParams,
  LegacyThreadOptions,
  Loose,
  StoredContext,
  ThreadEnvironment,
  ThreadItem,
  ThreadModelInit,
  ThreadReactor,
  ThreadReactParams,
  ThreadReactResult,
  ThreadShouldContinueArgs,
  ThreadTool,
} from "./types.ts";

type Awaitable<T> = T | Promise<T>;

const DEFAULT_MODEL = "openai/gpt-5";

/**
 * A thread in the manner of the old engine, to be subclassed. It runs on the new one: turns are queued, durable and
 * resumed.
 *
 * @deprecated Use `defineThread` and `createEngine`.
 */
export abstract class Thread<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment> {
  protected readonly opts: LegacyThreadOptions<Context, Env>;
  /**
   * What its turns are kept under; a process needs one of the same name to resume them. @defaultValue the class's name
   */
  protected readonly definitionName: string;
  readonly #reactor: ThreadReactor<Context, Env>;

  constructor(
    opts: LegacyThreadOptions<Context, Env> = {},
    reactor?: ThreadReactor<Context, Env>,
    definitionName?: string,
  ) {
    this.opts = opts;
    this.#reactor = reactor ?? (createAiSdkReactor() as ThreadReactor<Context, Env>);
    this.definitionName = definitionName ?? new.target.name;
  }

  protected abstract initialize(context: StoredContext<Context>, env: Env): Awaitable<Context>;
  protected abstract buildSystemPrompt(context: StoredContext<Context>, env: Env): Awaitable<string>;
  protected abstract buildTools(context: StoredContext<Context>, env: Env): Awaitable<Record<string, ThreadTool>>;

  protected expandEvents(events: ThreadItem[], _context: StoredContext<Context>, _env: Env): Awaitable<ThreadItem[]> {
    return events;
  }

  protected get expandsEvents(): boolean {
    return this.expandEvents !== Thread.prototype.expandEvents;
  }

  protected getModel(_context: StoredContext<Context>, _env: Env): ThreadModelInit {
    return DEFAULT_MODEL;
  }

  protected getReactor(_context: StoredContext<Context>, _env: Env): ThreadReactor<Context, Env> {
    return this.#reactor;
  }

  protected shouldContinue(_args: ThreadShouldContinueArgs<Context, Env>): Awaitable<boolean> {
    return true;
  }

  /**
   * Runs a turn to its end.
   *
   * @deprecated Use `engine.react`, which returns a handle as soon as the trigger is stored.
   * @throws what made the turn fail: in this process the very error, else one of its code and message.
   */
  react(triggerEvent: ThreadItem, params: ThreadReactParams<Env>): Promise<ThreadReactResult<Context>>;
  /** @deprecated The older calling convention, with one object. */
  react(params: LegacyReactParams<Env>): Promise<ThreadReactResult<Context>>;
  react(
    first: ThreadItem | LegacyReactParams<Env>,
    params?: ThreadReactParams<Env>,
  ): Promise<ThreadReactResult<Context>> {
    return reactTo(this, first, params);
  }

  /** @deprecated Another name of `react`. */
  stream(triggerEvent: ThreadItem, params: ThreadReactParams<Env>): Promise<ThreadReactResult<Context>> {
    return this.react(triggerEvent, params);
  }
}
