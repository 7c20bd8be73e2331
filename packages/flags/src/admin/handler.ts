import { HebraError, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import type { IncidentStore } from "../incident/incident.ts";
import type { Notifier } from "../rollout/notifier.ts";
import type { RolloutPlan } from "../rollout/plan.ts";
import type { RolloutService } from "../rollout/service.ts";
import { aliasRoutes } from "./alias-routes.ts";
import { memoryAudit, type AuditLog } from "./audit.ts";
import type { AdminContext, CallContext } from "./context.ts";
import type { FlagDocumentStore } from "./documents.ts";
import { createChangeStream } from "./events.ts";
import { flagRoutes } from "./flag-routes.ts";
import { incidentRoutes } from "./incident-routes.ts";
import { json, matchPath, problem, type RouteEntry } from "./http.ts";
import { ofrepRoutes } from "./ofrep-routes.ts";
import { describedRoutes, openApiOf } from "./openapi.ts";
import { rolloutRoutes } from "./rollout-routes.ts";
import { authenticator, requireRole, type AdminToken, type Principal } from "./tokens.ts";

/** Options of {@link createAdminHandler}. */
export interface AdminHandlerOptions {
  /** Who may call; there are no default credentials. Needed without `authenticate`. */
  readonly tokens?: readonly AdminToken[];
  /**
   * Who calls, as the host knows it (a session, a JWT, a client certificate): asked for requests without one of the
   * tokens. `undefined` and a throw refuse.
   */
  readonly authenticate?: (request: Request) => Principal | undefined | Promise<Principal | undefined>;
  readonly documents: FlagDocumentStore;
  readonly service: RolloutService;
  /** @defaultValue in memory */
  readonly audit?: AuditLog;
  readonly incidents?: IncidentStore;
  /** Told of kills; the service has its own for rollouts. */
  readonly notifiers?: readonly Notifier[];
  /** Where decisions are explained for. */
  readonly environment?: string;
  /** What stands before every path, without a trailing slash. @defaultValue "" */
  readonly basePath?: string;
  /**
   * The flag that the short verbs speak of (`enable-shadow-mode` …), the plan that `v2_enabled` starts, and what stands
   * before their paths.
   */
  readonly alias?: { readonly flag: string; readonly plan: RolloutPlan; readonly basePath: string };
  /**
   * Use of the old endpoints, asked for when they are to be retired; `createDeprecation().usage` over the last day
   * fits.
   */
  readonly usage?: () => { readonly unpinned: number };
  readonly onError?: (error: unknown) => void;
  readonly clock?: Clock;
}

/** The admin's door. */
export interface AdminHandler {
  (request: Request): Promise<Response>;
  /** Ends event streams. */
  close(): void;
}

const has = <T>(method: keyof T) =>
  z.custom<T>((value) => typeof (value as T | null)?.[method] === "function", `must have ${String(method)}()`);
const path = z.string().regex(/^(\/[^/?#]+)*$/, "must begin with a slash and not end with one");
const schema = z.strictObject({
  tokens: z.array(z.unknown()).optional(),
  authenticate: z
    .custom<NonNullable<AdminHandlerOptions["authenticate"]>>(
      (value) => typeof value === "function",
      "must be a function",
    )
    .optional(),
  documents: has<FlagDocumentStore>("write"),
  service: has<RolloutService>("act"),
  audit: has<AuditLog>("append").optional(),
  incidents: has<IncidentStore>("list").optional(),
  notifiers: z.array(z.custom<Notifier>((value) => typeof value === "function", "must be a function")).default([]),
  environment: z.string().min(1).optional(),
  basePath: path.default(""),
  alias: z
    .strictObject({
      flag: z.string().min(1),
      plan: z.custom<RolloutPlan>(
        (value) => Array.isArray((value as RolloutPlan | null)?.steps),
        "must be a plan made by rolloutPlan()",
      ),
      basePath: path,
    })
    .optional(),
  usage: z
    .custom<() => { readonly unpinned: number }>((value) => typeof value === "function", "must be a function")
    .optional(),
  onError: z
    .custom<(error: unknown) => void>((value) => typeof value === "function", "must be a function")
    .default(() => () => {}),
  clock: has<Clock>("now").optional(),
});

/**
 * Everything that people and machines do to flags and rollouts, as one Web-standard handler: it fits Hono, Next, Bun,
 * Deno and, through `nodeListener`,
 * Node's own server. Every route but `/healthz` needs a bearer token.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createRolloutService, memoryRolloutStore } from "@hebra/flags/rollout";
 * import { createAdminHandler, memoryFlagDocuments } from "@hebra/flags/admin";
 *
 * const admin = createAdminHandler({
 *   tokens: [{ token: "a-long-random-secret", name: "ana", roles: ["operate"] }],
 *   documents: memoryFlagDocuments(),
 *   service: createRolloutService({ store: memoryRolloutStore() }),
 * });
 * const headers = { authorization: "Bearer a-long-random-secret" };
 * const response = await admin(new Request("http://localhost/v1/flags", { headers }));
 * console.log(response.status); // 200
 * admin.close();
 * ```
 */
export function createAdminHandler(options: AdminHandlerOptions): AdminHandler {
  const parsed = parseOptions("createAdminHandler", schema, options);
  const authenticate = authenticator(options.tokens, parsed.authenticate, parsed.onError);
  const clock = parsed.clock ?? systemClock;
  const stream = createChangeStream(clock);
  const stopWatching = parsed.service.store.watch?.(() => stream.changed());
  const context: AdminContext = {
    documents: parsed.documents,
    service: parsed.service,
    audit: parsed.audit ?? memoryAudit(),
    incidents: parsed.incidents,
    notifiers: parsed.notifiers,
    environment: parsed.environment,
    alias: parsed.alias,
    usage: parsed.usage,
    clock,
    onError: parsed.onError,
    changed: () => stream.changed(),
  };
  const described = describedRoutes(parsed.basePath, parsed.alias?.basePath);
  const index = described.map(({ method, path, role, summary }) => ({ method, path, role, summary }));
  const api = openApiOf(described, `${parsed.basePath}/healthz`);
  const reading = (body: object): RouteEntry<CallContext>[2] => {
    return async ({ context: { principal } }) => {
      requireRole(principal, "read");
      return json(body);
    };
  };
  const routes: readonly RouteEntry<CallContext>[] = [
    ["GET", `${parsed.basePath}/`, reading({ openapi: `${parsed.basePath}/v1/openapi.json`, routes: index })],
    ["GET", `${parsed.basePath}/v1/openapi.json`, reading(api)],
    ...[...flagRoutes, ...rolloutRoutes, ...incidentRoutes, ...ofrepRoutes].map(
      ([method, pattern, serve]): RouteEntry<CallContext> => [method, `${parsed.basePath}${pattern}`, serve],
    ),
    [
      "GET",
      `${parsed.basePath}/v1/events`,
      async ({ context: call, request }) => {
        requireRole(call.principal, "read");
        return stream.open(request.signal);
      },
    ],
    ...(parsed.alias === undefined
      ? []
      : aliasRoutes.map(([method, pattern, serve]): RouteEntry<CallContext> => [
          method,
          `${parsed.alias!.basePath}${pattern}`,
          serve,
        ])),
  ];

  async function serve(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === `${parsed.basePath}/healthz` && request.method === "GET") return json({ ok: true });
    const principal = await authenticate(request);
    const fitting = routes.flatMap(([method, pattern, handle]) => {
      const params = matchPath(pattern, url.pathname);
      return params === undefined ? [] : [{ method, params, handle }];
    });
    if (fitting.length === 0)
      return json(
        { type: "about:blank", status: 404, title: "NOT_FOUND", detail: `There is nothing at ${url.pathname}.` },
        404,
      );
    const route = fitting.find(({ method }) => method === request.method);
    if (route === undefined)
      return json({ type: "about:blank", status: 405, title: "METHOD_NOT_ALLOWED" }, 405, {
        allow: [...new Set(fitting.map(({ method }) => method))].join(", "),
      });
    return route.handle({ request, url, params: route.params, context: { ...context, principal } });
  }

  const handler = async (request: Request): Promise<Response> => {
    try {
      return await serve(request);
    } catch (error) {
      if (!HebraError.isInstance(error)) parsed.onError(error);
      return problem(error);
    }
  };
  return Object.assign(handler, {
    close() {
      stopWatching?.();
      stream.close();
    },
  });
}
