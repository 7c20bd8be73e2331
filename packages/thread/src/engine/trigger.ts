import { assertId, assertJson, digest, HebraError, type JsonObject } from "@hebra/core";
import type { TranscriptPart } from "@hebra/reactor";
import { withStorableTexts } from "../definition/storable.ts";

/** What starts a turn: usually a message of a person. */
export interface Trigger {
  /**
   * The application's own id of the message; unique in the thread. A second delivery under the same id returns the
   * first turn.
   */
  id: string;
  /** Short for one text part. */
  text?: string;
  parts?: readonly Exclude<TranscriptPart, { kind: "action" }>[];
  /** @defaultValue "user" */
  role?: "user" | "system";
  /** Where it came from, e.g. `web` or `telegram`. @defaultValue "web" */
  channel?: string;
  /** Kept with the item; not shown to the model. */
  metadata?: JsonObject;
  /**
   * Kept with the execution: what caused the turn, where its answer goes. Two deliveries that differ in it alone are
   * the same.
   *
   * `runId` names the run that the turn belongs to, for spans and logs. `trace` is kept for the W3C trace context:
   * one's own is
   * taken up (`{ traceparent, tracestate }`), else the span that runs.
   */
  correlation?: JsonObject;
}

/** A trigger with its defaults filled in, and the digest that tells two payloads apart. */
export interface ParsedTrigger {
  id: string;
  content: TranscriptPart[];
  role: "user" | "system";
  channel: string;
  metadata: JsonObject;
  correlation: JsonObject;
  digest: string;
}

/** @throws HebraError `INVALID_ID`, `INVALID_OPTIONS`, `NOT_SERIALIZABLE` */
export function parseTrigger(trigger: Trigger): ParsedTrigger {
  assertId(trigger.id, "trigger id");
  const content: TranscriptPart[] = withStorableTexts([
    ...(trigger.text === undefined ? [] : [{ kind: "text" as const, text: trigger.text }]),
    ...(trigger.parts ?? []),
  ]);
  if (content.length === 0) {
    throw new HebraError("INVALID_OPTIONS", `The trigger ${trigger.id} is empty: give it \`text\` or \`parts\`.`, {
      details: { triggerId: trigger.id },
    });
  }
  const { role = "user", channel = "web" } = trigger;
  const metadata = withStorableTexts(trigger.metadata ?? {});
  const correlation = withStorableTexts(trigger.correlation ?? {});
  assertJson(content, "trigger.parts");
  assertJson(metadata, "trigger.metadata");
  assertJson(correlation, "trigger.correlation");
  return {
    id: trigger.id,
    content,
    role,
    channel,
    metadata,
    correlation,
    digest: digest({ content, role, channel, metadata }),
  };
}
