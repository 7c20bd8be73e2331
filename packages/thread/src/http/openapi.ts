import * as z from "zod";
import type { Route, RouteAnswer } from "./route.ts";
import { problemAnswer } from "./schemas.ts";

interface ObjectSchema {
  properties?: Record<string, object>;
  required?: string[];
}

const schemaOf = (schema: z.ZodType, io: "input" | "output"): object => {
  const {
    $schema: _,
    "~standard": __,
    ...rest
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
  }) as Record<string, unknown>;
  return rest;
};

const problem = {
  description: "The request was refused.",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

/**
 * Describes routes by the schemas that check their requests.
 *
 * @see https://spec.openapis.org/oas/v3.1.1.html
 */
export function openApiOf(routes: readonly Route[], basePath: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  return {
    openapi: "3.1.1",
    info: { title: "Hebra threads", version: "1" },
    servers: [{ url: basePath === "" ? "/" : basePath }],
    paths,
    components: { schemas: { Problem: schemaOf(problemAnswer, "output") } },
  };
}

function operationOf({ operationId, summary, path, query, body, answers, right }: Route): object {
  return {
    operationId,
    summary,
    ...(right === undefined ? {} : { description: `Needs the right \`${right}\`.` }),
    parameters: [...pathParameters(path), ...queryParameters(query)],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: schemaOf(body, "input") } } } }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)])),
      "4XX": problem,
      "5XX": problem,
    },
  };
}

function answerOf({ description, schema, stream }: RouteAnswer): object {
  const content = {
    ...(schema === undefined ? {} : { "application/json": { schema: schemaOf(schema, "output") } }),
    ...(stream === true ? { "text/event-stream": { schema: { type: "string" } } } : {}),
  };
  return { description, ...(Object.keys(content).length === 0 ? {} : { content }) };
}

function pathParameters(path: string): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", minLength: 1, maxLength: 512 },
  }));
}

function queryParameters(query: z.ZodType): object[] {
  const { properties = {}, required = [] } = schemaOf(query, "output") as ObjectSchema;
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}
