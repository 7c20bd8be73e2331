import { backoffDelay, errorMessage, HebraError, sleep, type JsonValue } from "@hebra/core";
import type { ActionChoice, ReactorInput } from "@hebra/reactor";
import { normalizeActions, outputSchemaOf, specsOf, type NormalAction } from "../../definition/normalize-action.ts";
import type { TurnTelemetry } from "../engine-telemetry.ts";
import { emptyAnswer, readAnswer, type Answer, type AnswerListener, type AnswerPart } from "./answer.ts";
import { decisionsFor } from "./owned-calls.ts";
import { prepareCalls, type PreparedCall } from "./prepare-calls.ts";
import { makePrompt, type Conversation, type Refused, type SummaryCache } from "../prompt/prompt.ts";
import { withFiles } from "../prompt/with-files.ts";
import { withReadMore } from "../prompt/read-more.ts";
import { checkOutput, reaskOf, type CheckedOutput } from "../prompt/reask.ts";
import type { TurnRows } from "../rows/draft.ts";
import { preparedState } from "../rows/state.ts";
import type { TurnEnvironment } from "./running-turn.ts";

/** A whole answer, with its calls looked up and its text checked. */
export interface AskedAnswer {
  answer: Answer;
  prepared: PreparedCall[];
  output: CheckedOutput;
  /** The state document that the step began with, when it was changed for it. */
  state: JsonValue | undefined;
}

/** What one question to a reactor takes. */
export interface AskOptions {
  environment: TurnEnvironment;
  telemetry: TurnTelemetry;
  rows: TurnRows;
  services: unknown;
  signal: AbortSignal;
  /** Filled while the answer comes. */
  answer: Answer;
  live: AnswerListener & { reset(): void };
  conversation(): Promise<Conversation>;
  summaries: SummaryCache;
  /** The step begins with new input. */
  hasNewInput: boolean;
}

const MODEL_TRIES = 3;
const MODEL_RETRY_MS = 500;
const MODEL_RETRY_MAX_MS = 20_000;

/** Asks for one answer. A failure that may pass is tried again here, as nothing of it has been written yet. */
export async function askReactor(options: AskOptions): Promise<AskedAnswer> {
  const { environment, telemetry, rows, signal, answer, live } = options;
  const { definition, reactor, tenant, clock } = environment;
  const before = { state: rows.context.state, iteration: rows.step.iteration, services: options.services };
  const prepared =
    definition.prepareStep === undefined
      ? undefined
      : await preparedState(definition, { ...before, answered: rows.parts.map(({ content }) => content) });
  const context = prepared === undefined ? before : { ...before, state: prepared };
  const own = normalizeActions(definition.actions(context));
  const all = currentActions(environment, context);
  const specs = { own: specsOf(own), withReadMore: specsOf(all) };
  const instructions = await definition.instructions(context);
  const { output } = definition.policy;
  const outputSchema = outputSchemaOf(output);
  const reask = await reaskOf(definition, rows, options.hasNewInput);
  const actionChoice: ActionChoice = reask?.action === undefined ? "auto" : { action: reask.action };
  const session = rows.context.sessions[reactor.name];
  const decisions = decisionsFor(rows);
  const allowed = new Set(decisions.flatMap(({ callId, decision }) => (decision === "approved" ? [callId] : [])));
  const earlier = rows.calls.map(({ callId }) => [callId, allowed.has(callId) ? "owned" : "settled"] as const);

  let actions: typeof own;
  let refused: Refused | undefined;
  for (let attempt = 1; ; attempt++) {
    const prompt = await makePrompt({
      definition,
      conversation: await options.conversation(),
      reask: reask?.message,
      instructions,
      specs,
      services: options.services,
      signal,
      logger: environment.logger,
      summaries: options.summaries,
      refused,
    });
    actions = prompt.readsMore ? all : own;
    const input: ReactorInput = {
      transcript: await withFiles(prompt.transcript, environment),
      actions: prompt.readsMore ? specs.withReadMore : specs.own,
      actionChoice,
      ids: {
        tenant,
        threadId: rows.context.threadId,
        contextId: rows.context.id,
        executionId: rows.execution.id,
        stepId: rows.step.id,
        iteration: rows.step.iteration,
        attempt: rows.step.attempt + attempt - 1,
      },
      signal,
      ...(instructions === undefined ? {} : { instructions }),
      ...(definition.model === undefined ? {} : { model: definition.model }),
      ...(outputSchema === undefined ? {} : { outputSchema }),
      ...(decisions.length === 0 ? {} : { decisions }),
      ...(session === undefined ? {} : { session }),
    };
    // What has to be read first took its time, in which the turn may have ended or passed to another.
    signal.throwIfAborted();
    const call = telemetry.modelCall(reactor, input);
    try {
      await call.run(() => readAnswer(reactor, input, earlier, answer, call.listen(live), environment.answerLimits));
      call.answered(answer);
      break;
    } catch (error) {
      call.failed(error, answer, signal.aborted);
      if (signal.aborted || !HebraError.isInstance(error)) throw error;
      const tooLong = refused === undefined && error.code === "PROMPT_TOO_LONG";
      if (!tooLong && (attempt >= MODEL_TRIES || !error.retryable)) throw error;
      telemetry.retried("model");
      environment.logger.warn("A reactor failed and is asked again.", { attempt, message: errorMessage(error) });
      Object.assign(answer, emptyAnswer());
      live.reset();
      if (tooLong) {
        refused = refusedBy(error, prompt.estimated());
        continue;
      }
      const retryAfterMs = error.details["retryAfterMs"];
      await sleep(
        clock,
        backoffDelay({
          attempt,
          baseMs: MODEL_RETRY_MS,
          maxMs: MODEL_RETRY_MAX_MS,
          random: environment.random,
          ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
        }),
        signal,
      );
    }
  }
  const requests = answer.parts.flatMap((part) => ("call" in part ? [part.call] : []));
  return {
    answer,
    prepared: await prepareCalls(requests, actions),
    output: await checkOutput(output, textOf(answer.parts)),
    state: prepared,
  };
}

/** What a step's model may call, with what reads on in what it is shown in part. */
export function currentActions(
  { definition, store, blobs }: Pick<TurnEnvironment, "definition" | "store" | "blobs">,
  context: { state: JsonValue; iteration: number; services: unknown },
): ReadonlyMap<string, NormalAction> {
  const { maxResultCharacters } = definition.prompt;
  return normalizeActions(withReadMore(definition.actions(context), { store, blobs, maxResultCharacters }));
}

function refusedBy({ details }: HebraError, estimated: number): Refused {
  const { promptTokens, maxTokens } = details;
  return {
    estimated,
    ...(typeof promptTokens === "number" ? { counted: promptTokens } : {}),
    ...(typeof maxTokens === "number" ? { allowed: maxTokens } : {}),
  };
}

const textOf = (parts: readonly AnswerPart[]) =>
  parts.flatMap((part) => ("part" in part && part.part.kind === "text" ? [part.part.text] : [])).join("");
