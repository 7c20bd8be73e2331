import { createIdGenerator, createRedactor, didYouMean, errorSignature, HebraError } from "@hebra/core";
import { UNMATCHED, type Incident, type IncidentQuery, type IncidentStore } from "../incident/incident.ts";
import type { CallContext } from "./context.ts";
import { bodyOf, json, onlyKnown, text, type RouteEntry } from "./http.ts";
import { requireRole } from "./tokens.ts";

/** @throws HebraError `INVALID_OPTIONS` */
function limitOf(given: string | null): number {
  const limit = Number(given ?? 100);
  if (!Number.isInteger(limit) || limit < 1)
    throw new HebraError("INVALID_OPTIONS", "`limit` must be a whole number from 1 on.");
  return Math.min(1_000, limit);
}

/** `true` or `false` in a query. @throws HebraError `INVALID_OPTIONS` */
function yesOrNo<K extends string>(parameters: URLSearchParams, name: K): { readonly [P in K]?: boolean } {
  const given = parameters.get(name);
  if (given === null) return {};
  if (given !== "true" && given !== "false")
    throw new HebraError("INVALID_OPTIONS", `\`${name}\` must be true or false.`);
  return { [name]: given === "true" } as { readonly [P in K]?: boolean };
}

const texts = ["kind", "flag", "org", "fingerprint", "code", "since"] as const;
const known: readonly string[] = [...texts, "matched", "open", "limit"];

/** @throws HebraError `INVALID_OPTIONS` for a parameter that would be left aside */
function queryOf({ searchParams }: URL): IncidentQuery {
  for (const name of searchParams.keys()) {
    if (known.includes(name)) continue;
    const near = didYouMean(name, known);
    const meant = near === undefined ? "" : `; did you mean \`${near}\`?`;
    throw new HebraError(
      "INVALID_OPTIONS",
      `There is no parameter \`${name}\`${meant} There are: ${known.join(", ")}.`,
    );
  }
  const given = texts.flatMap((name) => {
    const value = searchParams.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(given),
    ...yesOrNo(searchParams, "matched"),
    ...yesOrNo(searchParams, "open"),
    limit: limitOf(searchParams.get("limit")),
  };
}

const ids = ["flag", "org", "project", "session", "executionId", "contextId", "traceId"] as const;

/**
 * An incident that somebody else met. Its texts are redacted like those of our own.
 *
 * @throws HebraError `INVALID_OPTIONS`
 */
function recorded({ clock, principal }: CallContext, body: Readonly<Record<string, unknown>>): Incident {
  onlyKnown("incidents", body, ["kind", "component", "code", "message", "id", "context", ...ids]);
  const { kind = "error", id } = body;
  if (kind !== "error" && kind !== "rehearsal")
    throw new HebraError("INVALID_OPTIONS", "`kind` must be error or rehearsal.");
  const given = ids.flatMap((name) => (body[name] === undefined ? [] : [[name, text(body, name)]]));
  const error = { code: text(body, "code"), message: text(body, "message") };
  return {
    ...Object.fromEntries(given),
    id: id === undefined ? createIdGenerator(clock)() : text(body, "id"),
    kind,
    at: new Date(clock.now()).toISOString(),
    signature: errorSignature(error, { component: text(body, "component") }),
    decision:
      kind === "rehearsal"
        ? { action: "rollback", matched: true, reason: `Rehearsed by ${principal.name}.`, rule: "rehearsal" }
        : { action: UNMATCHED, matched: false, reason: `Recorded by ${principal.name}.` },
    versions: {},
    context: redactor.redact(body["context"] ?? {}),
    runbook: null,
  };
}

const redactor = createRedactor();
const notFound = (id: string) => new HebraError("INCIDENT_NOT_FOUND", `There is no incident ${id}.`);

/** @throws HebraError `INCIDENT_NOT_FOUND` where the host keeps none */
function storeOf({ incidents }: CallContext, id: string): IncidentStore {
  if (incidents === undefined) throw notFound(id);
  return incidents;
}

/** Incidents: listed, shown, closed. */
export const incidentRoutes: readonly RouteEntry<CallContext>[] = [
  [
    "GET",
    "/v1/incidents",
    async ({ context, url }) => {
      requireRole(context.principal, "read");
      const query = queryOf(url);
      return json({ incidents: (await context.incidents?.list(query)) ?? [] });
    },
  ],
  [
    "POST",
    "/v1/incidents",
    async ({ context, request }) => {
      requireRole(context.principal, "operate");
      const incident = recorded(context, await bodyOf(request));
      await storeOf(context, incident.id).write([incident]);
      context.changed();
      return json({ incident });
    },
  ],
  [
    "GET",
    "/v1/incidents/:id",
    async ({ context, params }) => {
      requireRole(context.principal, "read");
      const id = params["id"]!;
      const incident = await storeOf(context, id).read(id);
      if (incident === undefined) throw notFound(id);
      return json({ incident });
    },
  ],
  [
    "POST",
    "/v1/incidents/:id/close",
    async ({ context, params, request }) => {
      requireRole(context.principal, "operate");
      const id = params["id"]!;
      const body = await bodyOf(request);
      onlyKnown("close", body, ["reason", "link"]);
      const incident = await storeOf(context, id).close(id, {
        at: new Date(context.clock.now()).toISOString(),
        by: context.principal.name,
        reason: text(body, "reason"),
        ...(body["link"] === undefined ? {} : { link: text(body, "link") }),
      });
      if (incident === undefined) throw notFound(id);
      context.changed();
      return json({ incident });
    },
  ],
];
