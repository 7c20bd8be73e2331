import { backoffDelay, errorMessage, HebraError, sleep, type JsonValue } from "@hebra/core";
import type { ActionChoice, ReactorInput, TranscriptMessage } from "@hebra/reactor";
import { normalizeActions, outputSchemaOf, specsOf } from "../../definition/normalize-action.ts";
import type { TurnTelemetry } from "../engine-telemetry.ts";
import { emptyAnswer, readAnswer, type Answer, type AnswerListener, type AnswerPart } from "./answer.ts";
import { decisionsFor } from "./owned-calls.ts";
import { prepareCalls, type PreparedCall } from "./prepare-calls.ts";
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
  transcript(): Promise<TranscriptMessage[]>;
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
  const actions = normalizeActions(definition.actions(context));
  const instructions = await definition.instructions(context);
  const { output } = definition.policy;
  const outputSchema = outputSchemaOf(output);
  const reask = await reaskOf(definition, rows, options.hasNewInput);
  const actionChoice: ActionChoice = reask?.action === undefined ? "auto" : { action: reask.action };
  const session = rows.context.sessions[reactor.name];
  const decisions = decisionsFor(rows);
  const allowed = new Set(decisions.flatMap(({ callId, decision }) => (decision === "approved" ? [callId] : [])));
  const earlier = rows.calls.map(({ callId }) => [callId, allowed.has(callId) ? "owned" : "settled"] as const);

  for (let attempt = 1; ; attempt++) {
    const transcript = await withFiles(await options.transcript(), environment.readFile);
    const input: ReactorInput = {
      transcript: reask === undefined ? transcript : [...transcript, reask.message],
      actions: specsOf(actions),
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
      if (signal.aborted || attempt >= MODEL_TRIES || !(HebraError.isInstance(error) && error.retryable)) throw error;
      telemetry.retried("model");
      environment.logger.warn("A reactor failed and is asked again.", { attempt, message: errorMessage(error) });
      Object.assign(answer, emptyAnswer());
      live.reset();
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

/** Attachments are kept by reference; a model gets what the reference stands for. */
async function withFiles(
  transcript: TranscriptMessage[],
  readFile: ((url: string) => Promise<string>) | undefined,
): Promise<TranscriptMessage[]> {
  if (readFile === undefined || !transcript.some(({ parts }) => parts.some(isReference))) return transcript;
  return Promise.all(
    transcript.map(async (message) => ({
      ...message,
      parts: await Promise.all(
        message.parts.map(async (part) =>
          part.kind === "file" && isReference(part) ? { ...part, url: await readFile(part.url) } : part,
        ),
      ),
    })),
  );
}

const isReference = (part: TranscriptMessage["parts"][number]) => part.kind === "file" && part.url.startsWith("blob:");

const textOf = (parts: readonly AnswerPart[]) =>
  parts.flatMap((part) => ("part" in part && part.part.kind === "text" ? [part.part.text] : [])).join("");
