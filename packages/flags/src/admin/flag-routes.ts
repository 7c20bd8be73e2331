import { digest, HebraError } from "@hebra/core";
import { ALL_FLAGS } from "../evaluate/document.ts";
import type { FlagContext } from "../evaluate/types.ts";
import { entriesOf, etagOf, type CallContext } from "./context.ts";
import { bodyOf, json, onlyKnown, text, type RouteEntry } from "./http.ts";
import { noneMatches } from "./etags.ts";
import { notesOn } from "./housekeeping.ts";
import { kill, unkill, type KillRequest } from "./kill.ts";
import { setFlag } from "./set-flag.ts";
import { requireRole } from "./tokens.ts";
import { explain, mergedDocument, readView } from "./view.ts";

const notFound = (key: string) => new HebraError("FLAG_NOT_FOUND", `There is no flag ${key}.`, { details: { key } });

/** A context out of a body's member. */
export function contextOf(value: unknown): FlagContext {
  if (typeof value !== "object" || value === null)
    throw new HebraError("PARSE_ERROR", "The `context` must be an object.");
  const given = value as Record<string, unknown>;
  const id = (name: string) =>
    typeof given[name] === "string" && given[name] !== "" ? { [name]: given[name] as string } : {};
  const { session: _, project: __, org: ___, targetingKey, attributes, ...rest } = given;
  const session =
    typeof given["session"] !== "string" && typeof targetingKey === "string" && targetingKey !== ""
      ? { session: targetingKey }
      : {};
  return {
    ...session,
    ...id("session"),
    ...id("project"),
    ...id("org"),
    attributes: { ...rest, ...(attributes as Record<string, unknown> | undefined) },
  };
}

/** @throws HebraError `INVALID_OPTIONS` */
function killRequest(body: Readonly<Record<string, unknown>>): KillRequest {
  const { environment, ahead } = body;
  if (ahead !== undefined && typeof ahead !== "boolean")
    throw new HebraError("INVALID_OPTIONS", "`ahead` must be true or false.");
  return {
    reason: text(body, "reason"),
    ...(environment === undefined ? {} : { environment: text(body, "environment") }),
    ...(ahead === undefined ? {} : { ahead }),
  };
}

/** Flags: read, set, kill, explain, and the merged document for HTTP providers. */
export const flagRoutes: readonly RouteEntry<CallContext>[] = [
  [
    "GET",
    "/v1/flags",
    async ({ context }) => {
      requireRole(context.principal, "read");
      const view = await readView(context.documents, context.service.store);
      const { document, overrides, phases, revision } = view;
      const keys = [
        ...new Set([
          ...Object.keys(document.flags),
          ...Object.keys(document.rollouts ?? {}),
          ...Object.keys(overrides),
        ]),
      ]
        .filter((key) => key !== ALL_FLAGS)
        .sort();
      const everything = entriesOf(document, ALL_FLAGS)?.rollout ?? null;
      return json({
        revision,
        everything,
        flags: keys.map((key) => ({
          key,
          etag: etagOf(document, key),
          ...entriesOf(document, key),
          override: overrides[key] ?? null,
          phase: phases[key] ?? null,
          notes: notesOn(key, view, context.clock.now()),
        })),
      });
    },
  ],
  [
    "GET",
    "/v1/flags/:key",
    async ({ context, params }) => {
      requireRole(context.principal, "read");
      const key = params["key"]!;
      const { document, overrides } = await readView(context.documents, context.service.store);
      const entries = entriesOf(document, key);
      if (entries === undefined && overrides[key] === undefined) throw notFound(key);
      return json({ key, ...entries, override: overrides[key] ?? null }, 200, { etag: etagOf(document, key) });
    },
  ],
  [
    "PUT",
    "/v1/flags/:key",
    async ({ context, params, request }) => {
      requireRole(context.principal, "operate");
      const key = params["key"]!;
      const ifMatch =
        request.headers.get("if-match") ?? (request.headers.get("if-none-match") === "*" ? '"none"' : null);
      if (ifMatch === null)
        return json(
          {
            type: "about:blank",
            status: 428,
            title: "PRECONDITION_REQUIRED",
            detail: "Send `If-Match` with the ETag that you read, or `If-None-Match: *` for a new flag.",
          },
          428,
        );
      const body = await bodyOf(request);
      const reason = text(body, "reason");
      onlyKnown("PUT", body, ["reason", "rollout", "flag"]);
      const { flag, rollout } = body;
      const document = await setFlag(context, key, { flag, rollout, reason, ifMatch });
      return json({ key, ...entriesOf(document, key) }, 200, { etag: etagOf(document, key) });
    },
  ],
  [
    "POST",
    "/v1/flags/:key/kill",
    async ({ context, params, request }) => {
      requireRole(context.principal, "operate");
      const killed = await kill(context, params["key"]!, killRequest(await bodyOf(request)));
      return json({ key: params["key"], killed: true, ...killed });
    },
  ],
  [
    "POST",
    "/v1/flags/:key/unkill",
    async ({ context, params, request }) => {
      requireRole(context.principal, "operate");
      await unkill(context, params["key"]!, killRequest(await bodyOf(request)));
      return json({ key: params["key"], killed: false });
    },
  ],
  [
    "POST",
    "/v1/explain",
    async ({ context, request }) => {
      requireRole(context.principal, "read");
      const body = await bodyOf(request);
      return json(
        await explain(
          await readView(context.documents, context.service.store),
          context.environment,
          text(body, "flag"),
          contextOf(body["context"] ?? {}),
        ),
      );
    },
  ],
  [
    "GET",
    "/v1/document",
    async ({ context, request }) => {
      requireRole(context.principal, "read");
      const document = mergedDocument(await readView(context.documents, context.service.store));
      const etag = `"${digest(document).slice(0, 32)}"`;
      if (noneMatches(request.headers.get("if-none-match"), etag))
        return new Response(null, { status: 304, headers: { etag } });
      return json(document, 200, { etag });
    },
  ],
];
