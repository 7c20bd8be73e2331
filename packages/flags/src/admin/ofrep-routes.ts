import { digest, HebraError } from "@hebra/core";
import type { Flags } from "../client/create-flags.ts";
import type { FlagContext } from "../evaluate/types.ts";
import type { CallContext } from "./context.ts";
import { noneMatches } from "./etags.ts";
import { contextOf } from "./flag-routes.ts";
import { bodyOf, json, type RouteEntry } from "./http.ts";
import { requireRole } from "./tokens.ts";
import { flagsOf, readView } from "./view.ts";

/** An answer in the form of OFREP 0.3.0; the value is the mode. */
function evaluation(
  flags: Flags,
  key: string,
  context: FlagContext,
): { readonly status: number; readonly body: Record<string, unknown> } {
  const { mode, reason, ruleId, arm, flagVersion, errorCode } = flags.decide(key, context);
  if (errorCode === "FLAG_NOT_FOUND")
    return { status: 404, body: { key, errorCode, errorDetails: `There is no flag ${key}.` } };
  if (errorCode !== undefined)
    return {
      status: 400,
      body: { key, errorCode, errorDetails: "The flag could not be evaluated; legacy is served." },
    };
  return {
    status: 200,
    body: {
      key,
      value: mode,
      variant: mode,
      reason,
      metadata: { ruleId, flagVersion, ...(arm === undefined ? {} : { arm }) },
    },
  };
}

async function given(request: Request): Promise<FlagContext> {
  const body = await bodyOf(request);
  return contextOf(body["context"]);
}

async function withFlags<T>(context: CallContext, work: (flags: Flags) => T): Promise<T> {
  const flags = await flagsOf(await readView(context.documents, context.service.store), context.environment);
  try {
    return work(flags);
  } finally {
    await flags.close();
  }
}

/** OpenFeature's Remote Evaluation Protocol, for clients in any language. */
export const ofrepRoutes: readonly RouteEntry<CallContext>[] = [
  [
    "POST",
    "/ofrep/v1/evaluate/flags/:key",
    async ({ context, params, request }) => {
      requireRole(context.principal, "read");
      const key = params["key"]!;
      try {
        const asked = await given(request);
        const { status, body } = await withFlags(context, (flags) => evaluation(flags, key, asked));
        return json(body, status);
      } catch (error) {
        if (HebraError.isInstance(error) && error.code === "PARSE_ERROR")
          return json({ key, errorCode: "PARSE_ERROR", errorDetails: error.message }, 400);
        throw error;
      }
    },
  ],
  [
    "POST",
    "/ofrep/v1/evaluate/flags",
    async ({ context, request }) => {
      requireRole(context.principal, "read");
      try {
        const asked = await given(request);
        const all = await withFlags(context, (flags) =>
          flags
            .keys()
            .filter((key) => key !== "*")
            .map((key) => evaluation(flags, key, asked).body),
        );
        const etag = `"${digest(all).slice(0, 32)}"`;
        if (noneMatches(request.headers.get("if-none-match"), etag))
          return new Response(null, { status: 304, headers: { etag } });
        return json({ flags: all }, 200, { etag });
      } catch (error) {
        if (HebraError.isInstance(error) && error.code === "PARSE_ERROR")
          return json({ errorCode: "PARSE_ERROR", errorDetails: error.message }, 400);
        throw error;
      }
    },
  ],
];
