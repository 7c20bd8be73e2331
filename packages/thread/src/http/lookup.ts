import { assertId, HebraError } from "@hebra/core";
import type { ExecutionGraph, Snapshot } from "../store/store.ts";
import { reaches } from "./caller.ts";
import type { RawCall } from "./route.ts";

type At = Pick<RawCall, "host" | "caller" | "params">;

/** The key in the path, which is the caller's. */
export const keyOf = ({ params }: Pick<RawCall, "params">): string => params["key"]!;

/**
 * The conversation in the path, or a fork of it.
 *
 * @throws HebraError `THREAD_NOT_FOUND`, `CONTEXT_NOT_FOUND` also for a context of another conversation
 */
export async function threadAt(call: At, contextId?: string): Promise<Snapshot> {
  const { host, caller } = call;
  const key = keyOf(call);
  if (contextId !== undefined) {
    assertId(contextId, "context id");
    const fork = await host.store.load(caller.tenant, { contextId });
    if (fork?.thread.key === key) return fork;
    throw new HebraError("CONTEXT_NOT_FOUND", "The conversation has no context with this id.");
  }
  const found = await host.store.load(caller.tenant, { key });
  if (found === undefined) throw new HebraError("THREAD_NOT_FOUND", "There is no conversation with this key.");
  return found;
}

/** @throws HebraError `EXECUTION_NOT_FOUND` also for a turn of another conversation */
export async function executionIn(call: At, { thread }: Snapshot, executionId: string): Promise<ExecutionGraph> {
  assertId(executionId, "execution id");
  const graph = await call.host.store.execution(call.caller.tenant, executionId);
  if (graph?.execution.threadId === thread.id) return graph;
  throw new HebraError("EXECUTION_NOT_FOUND", "The conversation has no turn with this id.");
}

/**
 * An approval of one of the caller's conversations.
 *
 * @throws HebraError `APPROVAL_NOT_FOUND` also for one of a conversation that is not the caller's: an id tells nothing
 */
export async function approvalOf({ host, caller }: At, approvalId: string) {
  assertId(approvalId, "approval id");
  const approval = await host.store.approval(caller.tenant, approvalId);
  const snapshot = approval && (await host.store.load(caller.tenant, { contextId: approval.contextId }));
  if (approval === undefined || snapshot === undefined || !reaches(caller, snapshot.thread.key))
    throw new HebraError("APPROVAL_NOT_FOUND", "There is no approval with this id.");
  return { approval, threadKey: snapshot.thread.key };
}
