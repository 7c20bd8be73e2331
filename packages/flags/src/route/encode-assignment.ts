import { HebraError } from "@hebra/core";
import * as z from "zod";
import type { Assignment } from "./assignment.ts";

const schema = z.object({
  flag: z.string(),
  session: z.string(),
  tenant: z.string().optional(),
  mode: z.enum(["legacy", "new"]),
  arm: z.enum(["new", "control"]).nullable(),
  flagVersion: z.number(),
  startedAt: z.number(),
  lastSeenAt: z.number(),
  newSince: z.number().nullable(),
  servedByLegacy: z.boolean(),
  ended: z.boolean(),
  revision: z.number(),
});

/**
 * The stored key of a session: the tenant is part of it, and no session id can look like another tenant's.
 * @internal
 */
export function assignmentKey(session: string, tenant: string | undefined): string {
  if (tenant !== undefined) return `t:${encodeURIComponent(tenant)}:${encodeURIComponent(session)}`;
  return /^[st]:/.test(session) ? `s:${session}` : session;
}

/** An assignment as text; what is undefined is null. @internal */
export function encodeAssignment(assignment: Assignment): string {
  return JSON.stringify({ ...assignment, arm: assignment.arm ?? null, newSince: assignment.newSince ?? null });
}

/** @throws HebraError `SCHEMA_TOO_NEW` when a newer version wrote something that this one cannot read. @internal */
export function decodeAssignment(text: string): Assignment {
  const result = schema.safeParse(JSON.parse(text));
  if (!result.success)
    throw new HebraError("SCHEMA_TOO_NEW", "A stored assignment cannot be read by this version.", {
      cause: result.error,
    });
  return { ...result.data, arm: result.data.arm ?? undefined, newSince: result.data.newSince ?? undefined };
}
