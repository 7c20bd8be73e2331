import { HebraError, parseOptions } from "@hebra/core";
import { createHash, timingSafeEqual } from "node:crypto";
import * as z from "zod";
import type { ApprovalRole } from "../rollout/plan.ts";

/** `read` looks, `operate` moves flags and rollouts, `approve` signs and takes what cannot be undone in a minute. */
export type AdminRole = "read" | "operate" | "approve";

/** One person or machine that may call. */
export interface AdminToken {
  /** The secret: at least 16 characters. */
  readonly token: string;
  /** Who it is: goes into every record. */
  readonly name: string;
  /** `operate` and `approve` include `read`. */
  readonly roles: readonly AdminRole[];
  /** Which signatures this person gives. @defaultValue none */
  readonly approves?: readonly ApprovalRole[];
}

/** Who calls. */
export interface Principal {
  readonly name: string;
  readonly roles: readonly AdminRole[];
  readonly approves: readonly ApprovalRole[];
}

const schema = z
  .array(
    z.strictObject({
      token: z.string().min(16, "must have at least 16 characters"),
      name: z.string().min(1),
      roles: z.array(z.enum(["read", "operate", "approve"])).min(1),
      approves: z.array(z.enum(["technical", "operational"])).optional(),
    }),
  )
  .min(1, "at least one token is needed: there are no default credentials")
  .refine((tokens) => new Set(tokens.map((one) => one.token)).size === tokens.length, "two entries share a token");

const hash = (text: string): Buffer => createHash("sha256").update(text).digest();

const principalSchema = z.object({
  name: z.string().min(1),
  roles: z.array(z.enum(["read", "operate", "approve"])),
  approves: z.array(z.enum(["technical", "operational"])).default([]),
});

const unauthenticated = () => new HebraError("UNAUTHENTICATED", "This request has no valid bearer token.");

/** Who the host says it is; what is no principal is nobody. @throws HebraError `UNAUTHENTICATED` */
async function asked(
  host: (request: Request) => Principal | undefined | Promise<Principal | undefined>,
  request: Request,
  onError: (error: unknown) => void,
): Promise<Principal> {
  let found: unknown;
  try {
    // The host gets a copy: the body stays for the route.
    found = await host(new Request(request.url, { method: request.method, headers: request.headers }));
  } catch (error) {
    onError(error);
    throw unauthenticated();
  }
  if (found === undefined) throw unauthenticated();
  const parsed = principalSchema.safeParse(found);
  if (parsed.success) return parsed.data;
  onError(
    new HebraError("INVALID_OPTIONS", "`authenticate` gave something that is no principal: name, roles, approves."),
  );
  throw unauthenticated();
}

/**
 * Finds out who calls. All tokens are compared, each in constant time over digests of equal length, so that the time of
 * a refusal tells nothing.
 *
 * @throws HebraError `INVALID_OPTIONS`; the result throws `UNAUTHENTICATED`.
 */
export function authenticator(
  tokens: readonly AdminToken[] | undefined,
  host?: (request: Request) => Principal | undefined | Promise<Principal | undefined>,
  onError: (error: unknown) => void = () => {},
): (request: Request) => Promise<Principal> {
  const known = (
    tokens === undefined && host !== undefined ? [] : parseOptions("adminHandler", schema, tokens ?? [])
  ).map(({ token, name, roles, approves = [] }) => ({
    digest: hash(token),
    principal: { name, roles, approves },
  }));
  return async (request) => {
    const given = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    let found: Principal | undefined;
    const digest = hash(given ?? "");
    for (const { digest: own, principal } of known) if (timingSafeEqual(own, digest)) found = principal;
    if (given !== undefined && found !== undefined) return found;
    if (host === undefined) throw unauthenticated();
    return asked(host, request, onError);
  };
}

/** @throws HebraError `FORBIDDEN` */
export function requireRole({ name, roles }: Principal, role: AdminRole): void {
  const granted = roles.includes(role) || (role === "read" && roles.length > 0);
  if (!granted) throw new HebraError("FORBIDDEN", `${name} lacks the role \`${role}\`.`, { details: { role } });
}
