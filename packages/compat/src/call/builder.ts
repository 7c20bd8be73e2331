import { HebraError } from "@hebra/core";
import { registerThread, type ThreadKey } from "./registered-threads.ts";
import { Thread } from "./thread.ts";
import type {
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

/** @deprecated Use the options of `defineThread`. */
export interface ThreadConfig<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment> {
  /** What its turns are kept under. @defaultValue "thread" */
  key?: ThreadKey;
  /** Makes the context's content anew before each answer. */
  context: (context: StoredContext<Context>, env: Env) => Awaitable<Context>;
  /** The system prompt. */
  narrative: (context: StoredContext<Context>, env: Env) => Awaitable<string>;
  actions?: (context: StoredContext<Context>, env: Env) => Awaitable<Record<string, ThreadTool>>;
  /** @deprecated The older name of `actions`. */
  tools?: (context: StoredContext<Context>, env: Env) => Awaitable<Record<string, ThreadTool>>;
  /** Changes what the model is shown of the conversation. */
  expandEvents?: (events: ThreadItem[], context: StoredContext<Context>, env: Env) => Awaitable<ThreadItem[]>;
  /**
   * An id, an instance, a factory without parameters, or a function of context and environment that chooses one of
   * them.
   */
  model?: ThreadModelInit | ((context: StoredContext<Context>, env: Env) => ThreadModelInit);
  reactor?: ThreadReactor<Context, Env>;
  /** Asked after the calls of an answer have settled; `false` ends the turn. @defaultValue always on */
  shouldContinue?: (args: ThreadShouldContinueArgs<Context, Env>) => Awaitable<boolean>;
  opts?: LegacyThreadOptions<Context, Env>;
}

/** @deprecated Use `ThreadDefinition` and an `Engine`. */
export type ThreadInstance<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment> = Thread<
  Context,
  Env
> & { readonly __config: ThreadConfig<Context, Env> };

/** @deprecated Pass definitions to `createEngine`. */
export interface RegistrableThreadBuilder {
  key: ThreadKey;
  register(): void;
}

/**
 * Makes a thread of a configuration.
 *
 * @deprecated Use `defineThread` and `createEngine`.
 */
export function thread<Context, Env extends ThreadEnvironment = ThreadEnvironment>(
  config: ThreadConfig<Context, Env>,
): ThreadInstance<Context, Env> {
  return new ConfiguredThread(config);
}

class ConfiguredThread<Context, Env extends ThreadEnvironment> extends Thread<Context, Env> {
  readonly __config: ThreadConfig<Context, Env>;

  constructor(config: ThreadConfig<Context, Env>) {
    super(config.opts, config.reactor, config.key ?? "thread");
    this.__config = config;
    const { expandEvents } = config;
    if (expandEvents !== undefined) this.expandEvents = expandEvents;
  }

  protected override initialize(context: StoredContext<Context>, env: Env): Awaitable<Context> {
    return this.__config.context(context, env);
  }

  protected override buildSystemPrompt(context: StoredContext<Context>, env: Env): Awaitable<string> {
    return this.__config.narrative(context, env);
  }

  protected override buildTools(context: StoredContext<Context>, env: Env): Awaitable<Record<string, ThreadTool>> {
    return (this.__config.actions ?? this.__config.tools)?.(context, env) ?? {};
  }

  protected override getModel(context: StoredContext<Context>, env: Env): ThreadModelInit {
    const { model } = this.__config;
    // A function with parameters chooses; one without is a factory and is called where the model is needed.
    return typeof model === "function" && model.length > 0
      ? model(context, env)
      : (model ?? super.getModel(context, env));
  }

  protected override shouldContinue(args: ThreadShouldContinueArgs<Context, Env>): Awaitable<boolean> {
    return this.__config.shouldContinue?.(args) ?? true;
  }
}

/** @deprecated Use the options of `defineThread`. Each call changes this builder and returns it, as it always did. */
export interface ThreadBuilder<Context, Env extends ThreadEnvironment> extends RegistrableThreadBuilder {
  narrative(fn: ThreadConfig<Context, Env>["narrative"]): this;
  /** @deprecated Another name of `narrative`. */
  system(fn: ThreadConfig<Context, Env>["narrative"]): this;
  actions(fn: NonNullable<ThreadConfig<Context, Env>["actions"]>): this;
  /** @deprecated Another name of `actions`. */
  tools(fn: NonNullable<ThreadConfig<Context, Env>["actions"]>): this;
  expandEvents(fn: NonNullable<ThreadConfig<Context, Env>["expandEvents"]>): this;
  model(model: ThreadConfig<Context, Env>["model"]): this;
  reactor(reactor: ThreadReactor<Context, Env>): this;
  shouldContinue(fn: NonNullable<ThreadConfig<Context, Env>["shouldContinue"]>): this;
  opts(opts: LegacyThreadOptions<Context, Env>): this;
  build(): ThreadInstance<Context, Env>;
  react(triggerEvent: ThreadItem, params: ThreadReactParams<Env>): Promise<ThreadReactResult<Context>>;
  /** @deprecated Another name of `react`. */
  stream(triggerEvent: ThreadItem, params: ThreadReactParams<Env>): Promise<ThreadReactResult<Context>>;
  config(): ThreadConfig<Context, Env>;
}

/** Where a builder begins: the context's type is what its initializer returns. */
export interface ThreadBuilderEntry<Env extends ThreadEnvironment> {
  context<Initializer extends (context: StoredContext, env: Env) => Loose>(
    initializer: Initializer,
  ): ThreadBuilder<Awaited<ReturnType<Initializer>>, Env>;
  /** @deprecated Another name of `context`. */
  initialize<Initializer extends (context: StoredContext, env: Env) => Loose>(
    initializer: Initializer,
  ): ThreadBuilder<Awaited<ReturnType<Initializer>>, Env>;
}

/**
 * Builds a thread step by step.
 *
 * @deprecated Use `defineThread` and `createEngine`.
 *
 * @example
 * ```ts
 * import { createScriptedReactor, createThread } from "@hebra/compat";
 *
 * export const hello = createThread<{ orgId: string }>("hello")
 *   .context((stored, env) => ({ ...stored.content, orgId: env.orgId }))
 *   .narrative(() => "Be kind.")
 *   .actions(() => ({}))
 *   .reactor(createScriptedReactor({ steps: [{ assistantEvent: { content: { parts: [{ type: "text", text: "Hello." }] }
 * } }], repeatLast: true }))
 *   .build();
 * ```
 */
export function createThread<Env extends ThreadEnvironment = ThreadEnvironment>(
  key: ThreadKey,
): ThreadBuilderEntry<Env> {
  const begin = (initializer: Loose): Loose =>
    createBuilder<Loose, Env>(key, initializer as ThreadConfig<Loose, Env>["context"]);
  return { context: begin, initialize: begin };
}

/**
 * The oldest name of {@link createThread}.
 *
 * @deprecated Use `defineThread` and `createEngine`.
 */
export function createStory<Env extends ThreadEnvironment = ThreadEnvironment>(
  key: ThreadKey,
): ThreadBuilderEntry<Env> {
  return createThread<Env>(key);
}

function createBuilder<Context, Env extends ThreadEnvironment>(
  key: ThreadKey,
  context: ThreadConfig<Context, Env>["context"],
): ThreadBuilder<Context, Env> {
  const config: Partial<ThreadConfig<Context, Env>> = { key, context };
  let cached: ThreadInstance<Context, Env> | undefined;
  const set = (change: Partial<ThreadConfig<Context, Env>>) => {
    Object.assign(config, change);
    return builder;
  };
  const complete = (): ThreadConfig<Context, Env> => {
    const missing = config.narrative === undefined ? "narrative" : config.actions === undefined ? "actions" : undefined;
    if (missing === undefined) return config as ThreadConfig<Context, Env>;
    throw new HebraError(
      "INVALID_OPTIONS",
      `createThread(${JSON.stringify(key)}): call ${missing}() before the thread is used.`,
      { details: { definition: key } },
    );
  };
  const builder: ThreadBuilder<Context, Env> = {
    key,
    narrative: (narrative) => set({ narrative }),
    system: (narrative) => set({ narrative }),
    actions: (actions) => set({ actions }),
    tools: (actions) => set({ actions }),
    expandEvents: (expandEvents) => set({ expandEvents }),
    model: (model) => set({ model }),
    reactor: (reactor) => set({ reactor }),
    shouldContinue: (shouldContinue) => set({ shouldContinue }),
    opts: (opts) => set({ opts }),
    config: complete,
    build: () => thread(complete()),
    register: () => {
      const whole = complete();
      registerThread(key, () => thread(whole));
    },
    react: (triggerEvent, params) => {
      cached ??= thread(complete());
      return cached.react(triggerEvent, params);
    },
    stream: (triggerEvent, params) => builder.react(triggerEvent, params),
  };
  return builder;
}
