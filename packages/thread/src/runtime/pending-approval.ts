import type { JsonValue } from "@hebra/core";

/** A call that a person has to decide before its turn goes on. */
export interface PendingApproval {
  /** What `engine.approve` and `engine.deny` take. */
  id: string;
  /** The action's name. */
  action: string;
  /** The call's input; absent when it is long. */
  input?: JsonValue;
  reason?: string;
  /** Milliseconds since the epoch. @defaultValue it does not expire */
  expiresAt?: number;
  /** Decides this approval, whoever has it. Only with `approvalTokens` on the runtime. */
  token?: string;
}
