import type { JsonObject, JsonValue } from "@hebra/core";
import type { ReactorDecision } from "../reactor.ts";
import type { PromptMessage } from "./specification.ts";

/** A call that the model's provider runs once a person has allowed it, e.g. of a remote MCP server. */
export interface WaitingCall {
  callId: string;
  name: string;
  input: JsonValue;
  /** The provider's id for the call in the answer that asked. */
  toolCallId: string;
  /** The provider's id for the question. */
  approvalId: string;
  /** Only this provider knows the question. */
  provider: string;
}

/** What people said of the calls that a provider asked about. */
export interface Decided {
  call: WaitingCall;
  approved: boolean;
  reason?: string;
}

/** The calls that wait, as the reactor's session of a thread. */
export function toSession(calls: readonly WaitingCall[]): JsonObject {
  return { approvals: calls.map((call) => ({ ...call })) };
}

/** The calls that wait, read off the session that the last answer left. */
export function fromSession(session: JsonValue | undefined): WaitingCall[] {
  const approvals = isObject(session) ? session["approvals"] : undefined;
  return Array.isArray(approvals) ? approvals.filter(isWaitingCall) : [];
}

/** Which of the waiting calls people have decided about. */
export function decidedOf(waiting: readonly WaitingCall[], decisions: readonly ReactorDecision[] = []): Decided[] {
  return decisions.flatMap(({ callId, decision, error }) => {
    const call = waiting.find((each) => each.callId === callId);
    if (call === undefined) return [];
    return [{ call, approved: decision === "approved", ...(error === undefined ? {} : { reason: error }) }];
  });
}

/** What the provider that asked is told: its questions again, and the answers. */
export function approvalMessages(decided: readonly Decided[], provider: string | undefined): PromptMessage[] {
  const own = decided.filter(({ call }) => call.provider === provider);
  if (own.length === 0) return [];
  return [
    {
      role: "assistant",
      content: own.map(({ call: { toolCallId, name, input, approvalId } }) => ({
        type: "tool-call",
        toolCallId,
        toolName: name,
        input,
        providerExecuted: true,
        // OpenAI's package finds by it which call the result belongs to.
        providerOptions: { openai: { approvalRequestId: approvalId } },
      })),
    },
    {
      role: "tool",
      content: own.map(({ call: { approvalId }, approved, reason }) => ({
        type: "tool-approval-response",
        approvalId,
        approved,
        ...(reason === undefined ? {} : { reason }),
      })),
    },
  ];
}

function isWaitingCall(value: JsonValue): value is JsonValue & WaitingCall {
  return (
    isObject(value) &&
    ["callId", "name", "toolCallId", "approvalId", "provider"].every((key) => typeof value[key] === "string")
  );
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
