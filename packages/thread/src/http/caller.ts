import { HebraError } from "@hebra/core";
import * as z from "zod";

/**
 * What a caller may do: `read` conversations, `write` messages (also cancel and fork), `decide` approvals, `operate`
 * (delete, and see the state document).
 */
export type ThreadRight = "read" | "write" | "decide" | "operate";

/** Who is behind a request. Tenant, rights and reachable keys come from here, never from the request. */
export interface ThreadCaller {
  tenant: string;
  /** Stored with messages, decisions and cancellations. */
  user?: string | undefined;
  can: readonly ThreadRight[];
  /**
   * The keys that the caller reaches. One that ends with `*` is a prefix: `ana:*`. @defaultValue every key of the
   * tenant
   */
  keys?: readonly string[] | undefined;
}

export const rights = ["read", "write", "decide", "operate"] as const satisfies readonly ThreadRight[];

/** What `authorize` may return. */
export const callerSchema = z.strictObject({
  tenant: z.string().min(1).max(512),
  user: z.string().min(1).max(512).optional(),
  can: z.array(z.enum(rights)).readonly(),
  keys: z.array(z.string().min(1)).readonly().optional(),
});

/** The caller of a handler that asks nobody who they are. */
export const everybody: ThreadCaller = { tenant: "default", can: rights };

/** @throws HebraError `FORBIDDEN` */
export function requireRight({ can }: ThreadCaller, right: ThreadRight): void {
  if (!can.includes(right))
    throw new HebraError("FORBIDDEN", `These credentials lack the right \`${right}\`.`, { details: { right } });
}

/** Whether a key is one of the caller's. */
export function reaches({ keys }: ThreadCaller, key: string): boolean {
  return (
    keys === undefined ||
    keys.some((allowed) => (allowed.endsWith("*") ? key.startsWith(allowed.slice(0, -1)) : key === allowed))
  );
}

/** @throws HebraError `FORBIDDEN`, whether or not there is such a conversation */
export function requireKey(caller: ThreadCaller, key: string): void {
  if (!reaches(caller, key)) throw new HebraError("FORBIDDEN", "These credentials are for other conversations.");
}

/** What all reachable keys begin with, to narrow a listing. */
export function commonPrefix({ keys }: ThreadCaller): string {
  const [first = "", ...others] = (keys ?? []).map((key) => (key.endsWith("*") ? key.slice(0, -1) : key));
  return others.reduce((prefix, key) => {
    let length = 0;
    while (length < prefix.length && prefix[length] === key[length]) length++;
    return prefix.slice(0, length);
  }, first);
}
