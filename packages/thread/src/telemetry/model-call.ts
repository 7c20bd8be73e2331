import { errorCode, errorMessage, genAi, genAiOperations, hebraAttributes } from "@hebra/core";
import type { Reactor, ReactorInput } from "@hebra/reactor";
import type { Answer } from "../engine/turn/answer.ts";
import { modelFacts, providerName } from "./attributes.ts";
import type { ModelCallTelemetry } from "../engine/engine-telemetry.ts";
import type { TurnScope } from "./turn-scope.ts";

/** The span `chat {model}`, and what is measured of a model call. */
export function startModelCall(
  { telemetry, meter, content, clock, parent, place, definition, parts }: TurnScope,
  reactor: Reactor,
  input: ReactorInput,
): ModelCallTelemetry {
  const known = modelFacts(input.model);
  const startedAt = clock.monotonic();
  const span = telemetry.startSpan(`chat ${known.model ?? reactor.name}`, {
    kind: "client",
    parent,
    attributes: {
      ...place,
      [genAi.operationName]: genAiOperations.chat,
      [genAi.providerName]: known.provider ?? reactor.name,
      [genAi.requestModel]: known.model,
      [genAi.requestStream]: true,
      [genAi.outputType]: input.outputSchema === undefined ? undefined : "json",
      [hebraAttributes.stepIndex]: input.ids.iteration,
      [hebraAttributes.attempt]: input.ids.attempt,
    },
  });
  if (content !== undefined && span.recording) span.setAttributes(content.question(input));
  let begun = false;

  function end(answer: Answer | undefined, failure: { type: string; error: unknown } | undefined): void {
    if (!parts.end(end)) return;
    const { usage, finishReason } = answer ?? { usage: {}, finishReason: undefined };
    const provider = usage.provider === undefined ? (known.provider ?? reactor.name) : providerName(usage.provider);
    const labels = {
      [genAi.operationName]: genAiOperations.chat,
      [genAi.providerName]: provider,
      [genAi.requestModel]: known.model,
      [genAi.responseModel]: usage.model,
    };
    meter.operationDuration.record((clock.monotonic() - startedAt) / 1000, {
      ...labels,
      [genAi.errorType]: failure?.type,
    });
    if (usage.inputTokens !== undefined)
      meter.tokenUsage.record(usage.inputTokens, { ...labels, [genAi.tokenType]: "input" });
    if (usage.outputTokens !== undefined)
      meter.tokenUsage.record(usage.outputTokens, { ...labels, [genAi.tokenType]: "output" });
    if (usage.costUsd !== undefined)
      meter.cost.add(usage.costUsd, {
        [genAi.agentName]: definition,
        [genAi.providerName]: provider,
        [genAi.requestModel]: known.model,
        [genAi.responseModel]: usage.model,
      });
    if (failure !== undefined && failure.type !== "ABORTED") {
      meter.providerErrors.add(1, {
        [genAi.agentName]: definition,
        [genAi.providerName]: provider,
        [genAi.requestModel]: known.model,
        [genAi.errorType]: failure.type,
      });
    }
    if (known.model === undefined && usage.model !== undefined) span.rename(`chat ${usage.model}`);
    span.setAttributes({
      [genAi.providerName]: provider,
      [genAi.responseModel]: usage.model,
      [genAi.responseFinishReasons]: finishReason === undefined ? undefined : [finishReason],
      [genAi.usageInputTokens]: usage.inputTokens,
      [genAi.usageOutputTokens]: usage.outputTokens,
      [genAi.usageCacheReadInputTokens]: usage.cachedInputTokens,
      [genAi.usageReasoningOutputTokens]: usage.reasoningTokens,
      [hebraAttributes.costUsd]: usage.costUsd,
    });
    if (content !== undefined && span.recording && answer !== undefined && answer.parts.length > 0)
      span.setAttributes(content.answer(answer));
    if (failure !== undefined) {
      span.fail(failure.type);
      if (content !== undefined)
        span.addEvent("exception", {
          "exception.type": failure.type,
          "exception.message": content.words(errorMessage(failure.error)),
        });
    }
    span.end();
  }
  parts.add(end, () => end(undefined, { type: "ABORTED", error: new Error("The turn left this process.") }));

  return {
    run: (fn) => span.run(fn),
    listen: (listener) => ({
      ...listener,
      started(slot, kind, whole) {
        if (!begun) span.setAttributes({ [genAi.responseTimeToFirstChunk]: (clock.monotonic() - startedAt) / 1000 });
        begun = true;
        listener.started(slot, kind, whole);
      },
    }),
    answered: (answer) => end(answer, undefined),
    failed: (error, answer, stopped) =>
      end(answer, { type: stopped ? "ABORTED" : (errorCode(error) ?? "REACTOR_FAILED"), error }),
  };
}
