import type { ReactorEvent, ReactorInput } from "@hebra/reactor";
import type { TurnScope } from "./scope.ts";
import type { LegacyChunk, Loose, ThreadModelInit, ThreadReactor, ThreadReactorParams } from "./types.ts";

/** Answers as the new engine's reactors do: event by event, so that whoever watches sees the words come. */
export type NativeReactor = (params: ThreadReactorParams, input: ReactorInput) => AsyncIterable<ReactorEvent>;

// By name, so that they mean the same in every copy of this package.
const NATIVE = Symbol.for("hebra.legacy.native");
const INPUT = Symbol.for("hebra.legacy.input");

/** The reactor behind one of this package's own, when it is used as it is and not wrapped in another function. */
export function nativeOf(reactor: ThreadReactor): NativeReactor | undefined {
  return (reactor as { [NATIVE]?: NativeReactor })[NATIVE];
}

/** A function of the old shape over a reactor of the new one. */
export function asNative(reactor: ThreadReactor, native: NativeReactor): ThreadReactor {
  return Object.assign(reactor, { [NATIVE]: native });
}

/** What the new engine asked, behind parameters that were handed on or copied. */
export function inputOf(params: ThreadReactorParams): ReactorInput | undefined {
  return (params as { [INPUT]?: ReactorInput })[INPUT];
}

/** The question of one answer as old reactors are asked. @param count - answers of this turn so far */
export function paramsOf(
  input: ReactorInput,
  scope: TurnScope,
  model: ThreadModelInit,
  count: number,
): ThreadReactorParams {
  const { env, context, trigger, options } = scope;
  const silent = options.silent ?? false;
  const params: ThreadReactorParams = {
    env,
    context,
    contextIdentifier: { id: scope.contextId },
    triggerEvent: trigger,
    model,
    systemPrompt: scope.systemPrompt,
    actions: scope.tools as Record<string, unknown>,
    toolsForModel: Object.fromEntries(
      input.actions.map(({ name, description, inputSchema }) => [name, { description, inputSchema }]),
    ),
    eventId: scope.reactionEventId,
    executionId: scope.executionId,
    contextId: scope.contextId,
    stepId: input.ids.stepId,
    iteration: count,
    maxModelSteps: options.maxModelSteps ?? 1,
    sendStart: !silent && count === 0,
    silent,
    writable: new WritableStream<Loose>({ write: async (chunk: LegacyChunk) => scope.write?.(chunk) }),
  };
  return Object.assign(params, { [INPUT]: input });
}
