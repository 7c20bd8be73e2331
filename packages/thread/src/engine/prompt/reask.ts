import { deriveId, type JsonValue } from "@hebra/core";
import { validateAgainst, type TranscriptMessage } from "@hebra/reactor";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import type { PartRow } from "../../store/rows.ts";
import type { TurnRows } from "../rows/draft.ts";

/** A final text that was read as structured output. */
export type CheckedOutput = { valid: true; value: JsonValue | undefined } | { valid: false; issues: readonly string[] };

/** Reads a text as JSON of the schema asked for; text around it, such as a code fence, is not accepted. */
export async function checkOutput(schema: unknown, text: string): Promise<CheckedOutput> {
  if (schema === undefined) return { valid: true, value: undefined };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { valid: false, issues: [text.trim() === "" ? "it is empty" : "it is not JSON alone"] };
  }
  const result = await validateAgainst(schema, value);
  return result.ok ? { valid: true, value: result.value as JsonValue } : { valid: false, issues: result.issues };
}

/** What the model is told that is asked once more, and which action it must call, if any. */
export interface Reask {
  message: TranscriptMessage;
  action: string | undefined;
}

/**
 * Why the last answer was no end of the turn. It is read off the rows, so that a turn that was cut off asks in the same
 * words;
 * and it is no part of the history, since nobody said it.
 *
 * @returns `undefined` for a step that follows actions or new input
 */
export async function reaskOf(
  { policy }: AnyThreadDefinition,
  { step, parts, calls }: Pick<TurnRows, "step" | "parts" | "calls">,
  hasNewInput: boolean,
): Promise<Reask | undefined> {
  if (step.iteration === 0 || hasNewInput) return undefined;
  const last = parts.filter(({ content }) => (content.step ?? 0) === step.iteration - 1);
  if (
    last.some(({ content }) => content.kind === "action" && !cameSettled(content.callId, content.ownedByReactor, calls))
  )
    return undefined;
  const { requiredAction, output } = policy;
  if (
    requiredAction !== undefined &&
    !calls.some(({ name, status }) => name === requiredAction && status === "succeeded")
  ) {
    return told(
      step.id,
      `You have not finished: the action ${requiredAction} has not been called with success yet. Call it now.`,
      requiredAction,
    );
  }
  const checked = await checkOutput(output, textOf(last));
  if (checked.valid) return undefined;
  return told(
    step.id,
    `Your last answer cannot be used: ${checked.issues.join("; ")}. Answer again with nothing but JSON of the schema.`,
    undefined,
  );
}

/** A call that its answer brought with its result: such an answer may still be one that is asked for again. */
function cameSettled(callId: string, owned: boolean | undefined, calls: TurnRows["calls"]): boolean {
  const status = calls.find((call) => call.callId === callId)?.status;
  return owned === true && (status === "succeeded" || status === "failed");
}

function told(stepId: string, text: string, action: string | undefined): Reask {
  return { message: { id: deriveId("reask", stepId), role: "user", parts: [{ kind: "text", text }] }, action };
}

const textOf = (parts: readonly PartRow[]) =>
  parts.flatMap(({ content }) => (content.kind === "text" ? [content.text] : [])).join("");
