import { aliasDescriptions, descriptions, verbDescriptions, type Description } from "./descriptions.ts";

/** One route with everything that is said about it. */
export interface DescribedRoute extends Description {
  readonly method: string;
  /** With `{name}` for what varies. */
  readonly path: string;
}

const VERBS = "POST /v1/flags/:key/rollout/:verb";

/** Every route of a handler. @param aliasPath - what stands before the short verbs; absent: there are none */
export function describedRoutes(basePath: string, aliasPath: string | undefined): DescribedRoute[] {
  const below = (base: string, table: Readonly<Record<string, Description>>): DescribedRoute[] =>
    Object.entries(table).map(([key, description]) => {
      const [method, pattern] = key.split(" ") as [string, string];
      return { ...description, method, path: `${base}${pattern.replace(/:(\w+)/g, "{$1}")}` };
    });
  const verbs = Object.entries(verbDescriptions).map(
    ([verb, description]) => [VERBS.replace(":verb", verb), description] as const,
  );
  return [
    ...below(basePath, descriptions),
    ...below(basePath, Object.fromEntries(verbs)),
    ...(aliasPath === undefined ? [] : below(aliasPath, aliasDescriptions)),
  ];
}

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
});

const refusals: Readonly<Record<number, string>> = {
  304: "Nothing has changed.",
  400: "The request is not valid.",
  401: "There is no valid token.",
  403: "The token lacks the role, or the policy refuses.",
  404: "There is no such flag, rollout, postmortem or incident.",
  409: "There is no such edge, its evidence is missing (`details.missing`), or somebody else was faster.",
  412: "It was changed since it was read.",
  428: "A precondition is needed.",
  503: "A store is out of reach.",
};

function bodyOf(members: NonNullable<Description["body"]>): object {
  const names = Object.keys(members);
  const required = names.filter((name) => !name.endsWith("?"));
  const properties = Object.fromEntries(names.map((name) => [name.replace(/\?$/, ""), members[name]]));
  const schema = { type: "object", properties, ...(required.length === 0 ? {} : { required }) };
  return { required: required.length > 0, content: { "application/json": { schema } } };
}

function operationOf(route: DescribedRoute): object {
  const { method, path, summary, role, body, query = {}, headers = {}, answer = "application/json" } = route;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const parameters = [
    ...inPath,
    ...Object.entries(query).map(([name, schema]) => ({ name, in: "query", schema })),
    ...Object.entries(headers).map(([name, description]) => ({
      name,
      in: "header",
      description,
      schema: { type: "string" },
    })),
  ];
  const answers = [401, 403, ...(route.refusals ?? [])].map((status) => [
    String(status),
    status === 304 ? { description: refusals[304] } : problem(refusals[status]!),
  ]);
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^a-z0-9]+/gi, "-").replace(/-$/, "")}`,
    summary,
    description: `Needs the role \`${role}\`.`,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: bodyOf(body) }),
    responses: {
      "200": {
        description: "Done.",
        content: { [answer]: { schema: answer === "application/json" ? { type: "object" } : { type: "string" } } },
      },
      ...Object.fromEntries(answers),
      default: problem("It failed; see the server's log."),
    },
  };
}

/** The routes as an OpenAPI 3.1 document. */
export function openApiOf(routes: readonly DescribedRoute[], healthPath: string): object {
  const paths: Record<string, Record<string, object>> = {
    [healthPath]: {
      get: {
        operationId: "healthz",
        summary: "Whether the process answers. Needs no token.",
        security: [],
        responses: {
          "200": { description: "It does.", content: { "application/json": { schema: { type: "object" } } } },
        },
      },
    },
  };
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  return {
    openapi: "3.1.0",
    info: { title: "Hebra flags admin", version: "1", license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: {
        Problem: {
          type: "object",
          description: "RFC 9457.",
          properties: {
            type: { type: "string" },
            status: { type: "integer" },
            title: { type: "string" },
            code: { type: "string" },
            detail: { type: "string" },
            details: { type: "object" },
          },
          required: ["status", "title"],
        },
      },
    },
  };
}
