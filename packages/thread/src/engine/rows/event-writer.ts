import type { JsonObject } from "@hebra/core";
import { ENVELOPE_VERSION, type DurableEvent, type DurableEventType } from "../../stream/envelope.ts";

/** Numbers the durable events of one write. */
export interface EventWriter {
  readonly events: DurableEvent[];
  /** The number that the next event will get. */
  nextSeq(): number;
  add(type: DurableEventType, data: JsonObject, stepId?: string): void;
}

/** @param options - `seq` is the last number given before this write. */
export function createEventWriter(options: {
  tenant: string;
  contextId: string;
  executionId: string | null;
  seq: number;
  at: number;
}): EventWriter {
  const { tenant, contextId, executionId, seq, at } = options;
  const events: DurableEvent[] = [];
  return {
    events,
    nextSeq: () => seq + events.length + 1,
    add(type, data, stepId) {
      const event: DurableEvent = {
        v: ENVELOPE_VERSION,
        seq: seq + events.length + 1,
        at,
        tenant,
        contextId,
        executionId,
        type,
        data,
      };
      if (stepId !== undefined) event.stepId = stepId;
      events.push(event);
    },
  };
}
