import type { JsonObject, JsonValue } from "@hebra/core";
import type { ModelOutputPart, ProviderMetadata } from "@hebra/reactor";
import type { CallRow, StoredError } from "../../store/rows.ts";
import type { CallStatus } from "../../store/states.ts";
import { storedMessage } from "../rows/stored-error.ts";
import type { OwnedResult } from "./answer.ts";

/** What came of a call, as it is kept. */
export interface CallResult {
  status: Extract<CallStatus, "succeeded" | "failed" | "interrupted" | "denied" | "expired" | "cancelled">;
  output?: JsonValue;
  /** What the model's provider sent with the result of a call that it ran itself. */
  resultMetadata?: ProviderMetadata;
  /** What the model is shown in place of the output. */
  modelOutput?: readonly ModelOutputPart[];
  error?: StoredError;
  /** Of a call that succeeded: why its output is not kept, or not as it was. */
  note?: StoredError;
  /** It is `interrupted`, and a person is to say what became of it. */
  asksPerson?: true;
  /** What the person is asked. @defaultValue whether it took effect */
  question?: string;
  /** For the model, when it is more than the error's message. */
  explanation?: string;
}

/** What a reactor says came of its own action. */
export function ownedResult({ status, output, error, resultMetadata }: OwnedResult): CallResult {
  const metadata = resultMetadata === undefined ? {} : { resultMetadata };
  if (status === "succeeded") return { status, output: output ?? null, ...metadata };
  const message = storedMessage(error ?? "failed");
  return { status, error: { code: "ACTION_FAILED", message, retryable: false }, ...metadata };
}

/** What a `call-changed` event tells. */
export function callData(call: CallRow): JsonObject {
  return {
    callId: call.callId,
    name: call.name,
    partId: call.partId,
    status: call.status,
    attempt: call.attempt,
    output: call.output,
    error: call.error === null ? null : { ...call.error },
  };
}
