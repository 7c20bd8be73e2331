import { deriveId } from "@hebra/core";

// How `@hebra/thread` derives its ids is part of what it stores, so it is the same in every version.

/** The id of the thread that a key makes. */
export const threadIdOf = (tenant: string, key: string): string => deriveId("thread", tenant, key);

/** The id of a thread's first context. */
export const mainContextIdOf = (tenant: string, threadId: string): string =>
  deriveId("context", tenant, threadId, "main");

/** The id of the execution that a trigger makes: the same for every delivery. */
export const executionIdOf = (tenant: string, contextId: string, triggerId: string): string =>
  deriveId("execution", tenant, contextId, triggerId);
