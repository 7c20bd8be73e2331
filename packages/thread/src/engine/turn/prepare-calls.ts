import { canonicalJson } from "@hebra/core";
import type { ApprovalRequirement } from "../../definition/define-action.ts";
import type { NormalAction } from "../../definition/normalize-action.ts";
import type { ActionEffect, StoredError } from "../../store/rows.ts";
import { storedError } from "../rows/stored-error.ts";
import type { RequestedCall } from "./answer.ts";
import type { Disposition } from "./turn-state.ts";

/** A call that the model asked for, looked up and validated. */
export interface PreparedCall {
  request: RequestedCall;
  disposition: Disposition;
  effect: ActionEffect;
  signature: string;
  /** Why it is refused. */
  error?: StoredError;
  approval?: ApprovalRequirement;
  /** What runs it, and with what, when the engine does. */
  action?: NormalAction;
  input?: unknown;
}

/** Says of each call what is to become of it. Nothing here throws: what is wrong with a call is told to the model. */
export function prepareCalls(
  requests: readonly RequestedCall[],
  actions: ReadonlyMap<string, NormalAction>,
): Promise<PreparedCall[]> {
  return Promise.all(requests.map((request) => prepare(request, actions)));
}

async function prepare(request: RequestedCall, actions: ReadonlyMap<string, NormalAction>): Promise<PreparedCall> {
  const signature = callSignature(request.name, request.input);
  if (request.owned) return prepareOwned(request, signature);
  const action = actions.get(request.name);
  if (action === undefined) {
    const known = actions.size === 0 ? "there are none" : `there are: ${[...actions.keys()].join(", ")}`;
    return refuse(request, signature, "write", {
      code: "ACTION_NOT_FOUND",
      message: `There is no action ${request.name}; ${known}.`,
      retryable: false,
    });
  }
  try {
    const input = await action.parse(request.input);
    const approval = await action.approval(input);
    const prepared: PreparedCall = {
      request,
      signature,
      effect: action.effect,
      action,
      input,
      disposition: approval === undefined ? "run" : "ask-person",
    };
    if (approval !== undefined) prepared.approval = approval;
    return prepared;
  } catch (error) {
    const refusal = { ...storedError(error, "ACTION_INPUT_INVALID"), retryable: false };
    return refuse(request, signature, action.effect, refusal);
  }
}

/** What a reactor runs itself has its result already, or waits for a person first. */
function prepareOwned(request: RequestedCall, signature: string): PreparedCall {
  if (request.result !== undefined) return { request, signature, effect: "write", disposition: request.result.status };
  return { request, signature, effect: "write", disposition: "ask-person", approval: request.approval ?? {} };
}

function refuse(request: RequestedCall, signature: string, effect: ActionEffect, error: StoredError): PreparedCall {
  return { request, signature, effect, disposition: "refused", error };
}

/** Equal for calls of the same action with the same input. */
export function callSignature(name: string, input: RequestedCall["input"]): string {
  return `${name} ${canonicalJson(input)}`;
}
