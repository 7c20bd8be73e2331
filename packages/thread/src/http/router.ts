import { HebraError } from "@hebra/core";
import { decoded } from "../runtime/channels/percent.ts";
import { problem } from "./problem.ts";
import type { Route } from "./route.ts";

/** A route that a request is for, with the named parts of its path. */
export interface Match {
  route: Route;
  params: Record<string, string>;
}

/** Finds the route of a request, or answers one that has none. @throws HebraError `INVALID_ID` */
export function matchRoute(
  routes: readonly Route[],
  method: string,
  pathname: string,
  basePath: string,
): Match | Response {
  const path = pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : undefined;
  const fitting = path === undefined ? [] : routes.filter(({ path: pattern }) => fits(pattern, path));
  if (path === undefined || fitting.length === 0)
    return problem(new HebraError("UNSUPPORTED", "There is nothing at this path. GET /openapi.json lists the paths."), {
      status: 404,
    });
  const route = fitting.find((one) => one.method === method);
  if (route !== undefined) return { route, params: paramsOf(route.path, path) };
  const allow = fitting.map((one) => one.method).join(", ");
  return problem(new HebraError("UNSUPPORTED", `This path takes ${allow}.`), { status: 405, headers: { allow } });
}

const isName = (part: string) => part.startsWith("{");

function fits(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  return (
    wanted.length === given.length && wanted.every((part, at) => (isName(part) ? given[at] !== "" : part === given[at]))
  );
}

function paramsOf(pattern: string, path: string): Record<string, string> {
  const given = path.split("/");
  const params: Record<string, string> = {};
  for (const [at, part] of pattern.split("/").entries()) {
    if (!isName(part)) continue;
    const value = decoded(given[at]!);
    if (value === undefined) throw new HebraError("INVALID_ID", "A part of the path is not percent-encoded UTF-8.");
    params[part.slice(1, -1)] = value;
  }
  return params;
}
