import { isObject, partsOf } from "../ui-parts.ts";
import type { Loose, ThreadItem, ThreadReactionToolCall } from "./types.ts";

/**
 * Whether a tool has run, well or not, according to an item's parts.
 *
 * @deprecated Give the definition `policy: { requiredAction }` to end a turn by an action, or look at
 * `TurnResult.parts`.
 */
export function didToolExecute(event: Pick<ThreadItem, "content">, toolName: string): boolean {
  return partsOf(event.content).some(
    ({ type, state }) => type === `tool-${toolName}` && (state === "output-available" || state === "output-error"),
  );
}

/**
 * The calls that the parts of an item show, settled or not.
 *
 * @deprecated Look for `kind: "action"` in `TurnResult.parts`, or read `CallRow`s.
 */
export function extractToolCallsFromParts(parts: readonly Loose[] | undefined | null): ThreadReactionToolCall[] {
  return (parts ?? []).flatMap((part: unknown) => {
    if (!isObject(part)) return [];
    const { type, toolCallId, input } = part;
    return typeof type === "string" && type.startsWith("tool-")
      ? [{ toolCallId: toolCallId as string, toolName: type.slice("tool-".length), args: input }]
      : [];
  });
}
