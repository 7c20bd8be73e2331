import { genAi, genAiOperations, hebraAttributes } from "@hebra/core";
import type { ActionSpec } from "@hebra/reactor";
import type { CallResult } from "../engine/turn/call-result.ts";
import type { CallRow } from "../store/rows.ts";
import type { ActionCallTelemetry } from "../engine/engine-telemetry.ts";
import type { TurnScope } from "./turn-scope.ts";

/** The span `execute_tool {action}`, and what is measured of an action call. Its retries are events of the one span. */
export function startActionCall(
  { telemetry, meter, content, clock, parent, place, definition, parts }: TurnScope,
  call: CallRow,
  { name, description }: ActionSpec,
): ActionCallTelemetry {
  const startedAt = clock.monotonic();
  const span = telemetry.startSpan(`execute_tool ${name}`, {
    parent,
    attributes: {
      ...place,
      [genAi.operationName]: genAiOperations.executeTool,
      [genAi.toolName]: name,
      [genAi.toolType]: "function",
      [genAi.toolDescription]: description,
      [genAi.toolCallId]: call.callId,
      [hebraAttributes.attempt]: call.attempt,
    },
  });
  if (content !== undefined && span.recording) span.setAttributes(content.callInput(call.input));

  function end(result: CallResult): void {
    if (!parts.end(end)) return;
    const { output, error, status } = result;
    const type = status === "succeeded" ? undefined : (error?.code ?? "ACTION_FAILED");
    meter.executeToolDuration.record((clock.monotonic() - startedAt) / 1000, {
      [genAi.toolName]: name,
      [genAi.agentName]: definition,
      [genAi.errorType]: type,
    });
    if (type !== undefined) span.fail(type);
    if (content !== undefined && span.recording) {
      if (type === undefined) span.setAttributes(content.callOutput(output ?? null));
      else
        span.addEvent("exception", {
          "exception.type": type,
          "exception.message": content.words(error?.message ?? type),
        });
    }
    span.end();
  }
  parts.add(end, () =>
    end({ status: "cancelled", error: { code: "ABORTED", message: "The turn left this process.", retryable: false } }),
  );

  return {
    run: (fn) => span.run(fn),
    retried() {
      span.addEvent("retry");
      meter.retries.add(1, { of: "action" });
    },
    finished: end,
  };
}
