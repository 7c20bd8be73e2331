import type { FinishReason, ReactorEvent } from "./events.ts";

const kinds: ReadonlySet<unknown> = new Set(["text", "reasoning"]);
const wholeKinds: ReadonlySet<unknown> = new Set(["source", "file", "data"]);
const reasons: ReadonlySet<unknown> = new Set<FinishReason>(["stop", "actions", "length", "content-filter", "other"]);
const counts = ["inputTokens", "outputTokens", "cachedInputTokens", "reasoningTokens", "costUsd"] as const;

/** What is wrong with the fields of an event, for reactors that no compiler has checked. JSON values are not walked. */
export function shapeProblem(event: ReactorEvent): string | undefined {
  switch (event.type) {
    case "part-delta":
      return badId("partId", event.partId) ?? (typeof event.delta === "string" ? undefined : "`delta` is not a string");
    case "part-start":
      return (
        badId("partId", event.partId) ??
        (kinds.has(event.kind) ? undefined : `unknown kind of part \`${String(event.kind)}\``)
      );
    case "part-end":
      return badId("partId", event.partId);
    case "part":
      return (
        badId("partId", event.partId) ??
        (wholeKinds.has(event.part?.kind) ? undefined : `unknown kind of part \`${String(event.part?.kind)}\``)
      );
    case "action-request":
      return (
        badId("callId", event.callId) ??
        badId("name", event.name) ??
        (event.input === undefined ? "`input` is undefined" : undefined)
      );
    case "action-result":
      return badId("callId", event.callId) ?? resultProblem(event.status, event.output);
    case "approval-request":
      return badId("callId", event.callId);
    case "usage":
      return usageProblem(event.usage);
    case "session":
      return event.state === undefined ? "`state` is undefined" : undefined;
    case "finish":
      return reasons.has(event.reason) ? undefined : `unknown finish reason \`${String(event.reason)}\``;
    default:
      return `unknown type \`${String((event as { type?: unknown }).type)}\``;
  }
}

function badId(field: string, value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? undefined : `\`${field}\` is not a non-empty string`;
}

function resultProblem(status: unknown, output: unknown): string | undefined {
  if (status === "failed") return undefined;
  if (status !== "succeeded") return `unknown status \`${String(status)}\``;
  return output === undefined ? "a succeeded `action-result` without `output`" : undefined;
}

function usageProblem(usage: unknown): string | undefined {
  if (typeof usage !== "object" || usage === null) return "`usage` is not an object";
  for (const key of counts) {
    const value = (usage as Record<string, unknown>)[key];
    if (value !== undefined && !(typeof value === "number" && Number.isFinite(value) && value >= 0))
      return `\`usage.${key}\` is not a count`;
  }
  return undefined;
}
