import { HebraError } from "@hebra/core";
import type { Reactor, ReactorEvent, ReactorInput, TranscriptMessage, TranscriptPart } from "@hebra/reactor";
import { toUnsettledPart } from "../ui-parts.ts";
import { inEnv } from "./env.ts";
import type { ThreadHooks } from "./hooks.ts";
import { toItems, toTranscriptOf } from "./items.ts";
import { nativeOf, paramsOf } from "./reactors.ts";
import { eventsOfResult } from "./result-events.ts";
import { reactionItem, type Scopes, type TurnScope } from "./scope.ts";

const DEFAULT_ITERATIONS = 20;

/** One answer, as far as the old callbacks want to know. */
interface Heard {
  parts: TranscriptPart[];
  /** Calls for the engine to run; those of the reactor's own do not count. */
  calls: number;
}

/** The old loop around a reactor of either kind: its limit, its hooks, and its way of going on after an end. */
export function legacyReactor(hooks: ThreadHooks, scopes: Scopes, historyItems: number): Reactor {
  async function* react(input: ReactorInput): AsyncGenerator<ReactorEvent, void, undefined> {
    const scope = scopes.get(input.ids.executionId);
    if (scope === undefined)
      throw new HebraError("INTERNAL", `The turn ${input.ids.executionId} has no scope in this process.`);
    scope.error = undefined;
    try {
      yield* scope.stopped ? nothing() : answers(input, scope);
    } catch (error) {
      scope.error = error;
      throw error;
    }
  }

  /** Mostly one answer; more when `onEnd` says that an answer without calls is not the end. */
  async function* answers(input: ReactorInput, scope: TurnScope): AsyncGenerator<ReactorEvent, void, undefined> {
    const used = new Set(
      input.transcript.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === "action" ? [part.callId] : []))),
    );
    const own: TranscriptPart[] = [];
    for (let round = 0; ; round++) {
      const limit = scope.options.maxIterations ?? DEFAULT_ITERATIONS;
      const count = input.ids.iteration + scope.extraRounds;
      if (count >= limit) {
        throw new HebraError(
          "REACTOR_FAILED",
          `The turn has had ${limit} answers, its \`maxIterations\`, without an end. Give it an action that ends it, with \`shouldContinue\` and \`didToolExecute\`, or use \`defineThread\`, where a text answer ends a turn.`,
          {
            retryable: false,
            details: { maxIterations: limit },
          },
        );
      }
      const heard: Heard = { parts: [], calls: 0 };
      let last: ReactorEvent = { type: "finish", reason: "stop" };
      const shown =
        own.length === 0 ? input : { ...input, transcript: withOwn(input.transcript, own, scope.reactionEventId) };
      for await (const event of ask({ ...shown, transcript: await expanded(shown, scope) }, scope, count)) {
        const renamed = rename(event, round, used, input.ids.iteration);
        hear(renamed, heard);
        if (renamed.type === "finish") last = renamed;
        else yield renamed;
      }
      const event = reactionItem(scope, heard.parts.map(toUnsettledPart));
      void (async () => hooks.opts.onEventCreated?.(event))().catch(() => undefined);
      if (heard.calls > 0) return void (yield last);
      if (await isEnd(event, scope)) {
        scope.ended = true;
        return void (yield last);
      }
      own.push(...heard.parts);
      const args = {
        env: scope.env,
        context: scope.context,
        reactionEvent: reactionItem(scope, own.map(toUnsettledPart)),
        assistantEvent: event,
        toolCalls: [],
        toolExecutionResults: [],
      };
      if ((await inEnv(scope.env, () => hooks.shouldContinue(args))) === false) return void (yield last);
      scope.extraRounds++;
    }
  }

  async function* ask(
    input: ReactorInput,
    scope: TurnScope,
    count: number,
  ): AsyncGenerator<ReactorEvent, void, undefined> {
    const reactor = hooks.getReactor(scope.context, scope.env);
    const params = paramsOf(input, scope, hooks.getModel(scope.context, scope.env), count);
    const native = nativeOf(reactor);
    if (native !== undefined) return yield* native(params, input);
    const result = await inEnv(scope.env, () => reactor(params));
    scope.messages = result.messagesForModel ?? [];
    yield* eventsOfResult(result);
  }

  /** What the model is shown, after the thread's own `expandEvents`. */
  async function expanded(input: ReactorInput, scope: TurnScope): Promise<readonly TranscriptMessage[]> {
    if (!hooks.expandsEvents) return input.transcript;
    const items = toItems(input.transcript, await scopes.rows(scope, historyItems));
    const next = await inEnv(scope.env, () => hooks.expandEvents(items, scope.context, scope.env));
    return next === items ? input.transcript : toTranscriptOf(next);
  }

  async function isEnd(event: ReturnType<typeof reactionItem>, scope: TurnScope): Promise<boolean> {
    const said = await inEnv(scope.env, () => hooks.opts.onEnd?.(event));
    return typeof said === "boolean" ? said : (said?.end ?? true);
  }

  return { contract: "reactor-v1", name: "legacy", runsActions: true, react };
}

function* nothing(): Generator<ReactorEvent> {
  yield { type: "usage", usage: {} };
  yield { type: "finish", reason: "stop" };
}

/** Ids are unique in a step; those of calls in a turn, which old reactors did not care about. */
function rename(event: ReactorEvent, round: number, used: ReadonlySet<string>, iteration: number): ReactorEvent {
  if ("partId" in event && round > 0) return { ...event, partId: `${round}:${event.partId}` };
  if ("callId" in event && used.has(event.callId)) return { ...event, callId: `${event.callId}:${iteration}` };
  return event;
}

function hear(event: ReactorEvent, heard: Heard): void {
  const { parts } = heard;
  switch (event.type) {
    case "part-start":
      return void parts.push({ kind: event.kind, text: "" });
    case "part-delta": {
      const open = parts.findLast((part) => part.kind === "text" || part.kind === "reasoning");
      if (open !== undefined) open.text += event.delta;
      return;
    }
    case "part":
      return void parts.push(event.part as TranscriptPart);
    case "action-request":
      if (event.ownedByReactor !== true) heard.calls++;
      return void parts.push({
        kind: "action",
        callId: event.callId,
        name: event.name,
        input: event.input,
        status: "failed",
      });
  }
}

function withOwn(
  transcript: readonly TranscriptMessage[],
  parts: readonly TranscriptPart[],
  reactionId: string,
): TranscriptMessage[] {
  const last = transcript.at(-1);
  if (last?.id === reactionId) return [...transcript.slice(0, -1), { ...last, parts: [...last.parts, ...parts] }];
  return [...transcript, { id: reactionId, role: "assistant", parts }];
}
