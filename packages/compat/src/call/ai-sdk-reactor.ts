import type { Reactor, ReactorEvent, ReactorInput, TranscriptPart } from "@hebra/reactor";
import { toUnsettledPart } from "../ui-parts.ts";
import { OUTPUT_TEXT_ITEM_TYPE } from "./items.ts";
import { asNative, inputOf } from "./reactors.ts";
import type {
  ContextIdentifier,
  Loose,
  StoredContext,
  ThreadEnvironment,
  ThreadItem,
  ThreadModelInit,
  ThreadReactor,
  ThreadReactorParams,
} from "./types.ts";
import { unsupported } from "./unsupported.ts";

type Awaitable<T> = T | Promise<T>;

/** @deprecated Use `AiSdkReactorOptions`. */
export interface CreateAiSdkReactorOptions<
  Context = Loose,
  Env extends ThreadEnvironment = ThreadEnvironment,
  Config = Loose,
> {
  resolveConfig?: (params: {
    env: Env;
    context: StoredContext<Context>;
    contextIdentifier: ContextIdentifier;
    triggerEvent: ThreadItem;
    model: ThreadModelInit;
    eventId: string;
    executionId: string;
    contextId: string;
    stepId: string;
    iteration: number;
  }) => Awaitable<Config>;
  selectModel?: (params: {
    env: Env;
    context: StoredContext<Context>;
    triggerEvent: ThreadItem;
    baseModel: ThreadModelInit;
    config: Config;
  }) => Awaitable<ThreadModelInit>;
  /** Called as before. It never had an effect, since a model's answer ends where the engine runs its tools. */
  selectMaxModelSteps?: (params: {
    env: Env;
    context: StoredContext<Context>;
    triggerEvent: ThreadItem;
    baseMaxModelSteps: number;
    config: Config;
  }) => Awaitable<number>;
}

let shared: Promise<Reactor> | undefined;

/** Loaded when it is first needed, so that whoever brings another reactor needs no `ai`. */
function aiSdk(): Promise<Reactor> {
  shared ??= import("@hebra/reactor/ai-sdk").then(({ aiSdkReactor }) => aiSdkReactor());
  shared.catch(() => (shared = undefined));
  return shared;
}

/**
 * The default: one model answer through the AI SDK. As ever, a model that has tools must use one: such a thread ends by
 * an
 * action, with `shouldContinue`.
 *
 * @deprecated Use `aiSdkReactor` of `@hebra/thread/reactor`, where a text answer ends a turn.
 * @throws HebraError `PEER_MISSING` at the first answer when `ai` is not installed.
 */
export function createAiSdkReactor<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment, Config = Loose>(
  options: CreateAiSdkReactorOptions<Context, Env, Config> = {},
): ThreadReactor<Context, Env> {
  async function* stream(
    given: ThreadReactorParams,
    input: ReactorInput,
  ): AsyncGenerator<ReactorEvent, void, undefined> {
    const params = given as ThreadReactorParams<Context, Env>;
    const { env, context, triggerEvent } = params;
    const config = (await options.resolveConfig?.(params)) as Config;
    const chosen: unknown =
      options.selectModel === undefined
        ? params.model
        : await options.selectModel({ env, context, triggerEvent, baseModel: params.model, config });
    await options.selectMaxModelSteps?.({
      env,
      context,
      triggerEvent,
      baseMaxModelSteps: params.maxModelSteps,
      config,
    });
    const model: unknown = typeof chosen === "function" ? await (chosen as () => unknown)() : chosen;
    yield* (await aiSdk()).react({
      ...input,
      instructions: params.systemPrompt,
      model,
      actionChoice: input.actions.length > 0 ? "required" : "auto",
    });
  }

  const reactor: ThreadReactor<Context, Env> = async (params) => {
    const input = inputOf(params as ThreadReactorParams);
    if (input === undefined)
      throw unsupported(
        "Calling a reactor outside of a thread",
        "Use `aiSdkReactor` of `@hebra/thread/reactor`, which takes its whole question as its argument.",
      );
    const parts: TranscriptPart[] = [];
    for await (const event of stream(params as ThreadReactorParams, input)) {
      if (event.type === "part-start") parts.push({ kind: event.kind, text: "" });
      else if (event.type === "part-delta")
        (parts.findLast((part) => part.kind === "text" || part.kind === "reasoning") as { text: string }).text +=
          event.delta;
      else if (event.type === "part") parts.push(event.part as TranscriptPart);
      else if (event.type === "action-request")
        parts.push({ kind: "action", callId: event.callId, name: event.name, input: event.input, status: "failed" });
    }
    return {
      assistantEvent: {
        id: params.eventId,
        type: OUTPUT_TEXT_ITEM_TYPE,
        channel: params.triggerEvent.channel,
        createdAt: new Date().toISOString(),
        content: { parts: parts.map(toUnsettledPart) },
      },
      toolCalls: parts.flatMap((part) =>
        part.kind === "action" ? [{ toolCallId: part.callId, toolName: part.name, args: part.input }] : [],
      ),
      messagesForModel: [],
    };
  };
  return asNative(reactor as ThreadReactor, stream) as ThreadReactor<Context, Env>;
}
