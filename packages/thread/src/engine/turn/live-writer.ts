import type { JsonObject } from "@hebra/core";
import type { StepRow } from "../../store/rows.ts";
import { ENVELOPE_VERSION, type LiveEvent, type LiveEventType, type AnyEvent } from "../../stream/envelope.ts";
import type { AnswerListener } from "./answer.ts";

/** Tells those who listen what happens between two writes. */
export interface LiveWriter {
  /** For one try at one answer. @param firstIndex - the place of its first part inside the item. */
  step(step: StepRow, firstIndex: number): AnswerListener & { reset(): void };
  call(step: StepRow, type: Extract<LiveEventType, `call-${string}`>, data: JsonObject): void;
}

export function createLiveWriter(options: {
  tenant: string;
  contextId: string;
  executionId: string;
  fence: number;
  now(): number;
  /** The last sequence number that was written. */
  seq(): number;
  publish(event: AnyEvent): void;
}): LiveWriter {
  const { tenant, contextId, executionId, fence, now, seq, publish } = options;
  const run = globalThis.crypto.randomUUID().slice(0, 8);
  let index = 0;
  let current: string | undefined;
  const send = (step: StepRow, type: LiveEventType, partIndex: number, data: JsonObject) => {
    if (current !== step.id) index = 0;
    current = step.id;
    const event: LiveEvent = {
      v: ENVELOPE_VERSION,
      at: now(),
      tenant,
      contextId,
      executionId,
      stepId: step.id,
      attempt: step.attempt,
      partIndex,
      run,
      fence,
      index: index++,
      afterSeq: seq(),
      type,
      data,
    };
    publish(event);
  };
  return {
    step: (step, firstIndex) => ({
      started: (slot, kind, whole) =>
        send(step, "part-started", firstIndex + slot, {
          kind,
          ...(whole?.kind === "action" ? { name: whole.name } : {}),
          ...(whole === undefined ? {} : { part: whole as unknown as JsonObject }),
        }),
      delta: (slot, delta) => send(step, "part-delta", firstIndex + slot, { delta }),
      ended: (slot) => send(step, "part-ended", firstIndex + slot, {}),
      reset: () => send(step, "step-reset", -1, {}),
    }),
    call: (step, type, data) => send(step, type, -1, data),
  };
}
