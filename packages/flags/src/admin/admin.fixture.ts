import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { rolloutPlan } from "../rollout/plan.ts";
import { createWorld, FLAG, openPolicy, type World } from "../rollout/rollout-world.fixture.ts";
import { memoryFlagDocuments } from "./documents.ts";
import { createAdminHandler, type AdminHandlerOptions } from "./handler.ts";
import { nodeListener } from "./node-listener.ts";

export const tokens = {
  reader: "reader-reader-reader",
  ana: "ana-ana-ana-ana-ana",
  bo: "bo-bo-bo-bo-bo-bo-bo",
  cy: "cy-cy-cy-cy-cy-cy-cy",
} as const;

export interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** JSON, or the text of what is none. */
  readonly body: unknown;
}

export interface AdminServer {
  readonly world: World;
  readonly url: string;
  call(
    who: keyof typeof tokens | undefined,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  close(): Promise<void>;
}

/** An admin on a real port, with a virtual clock behind it. */
export async function serveAdmin(
  more: Partial<AdminHandlerOptions> = {},
  world: World = createWorld({ policy: openPolicy }),
): Promise<AdminServer> {
  const handler = createAdminHandler({
    tokens: [
      { token: tokens.reader, name: "rita", roles: ["read"] },
      { token: tokens.ana, name: "ana", roles: ["operate"] },
      { token: tokens.bo, name: "bo", roles: ["approve"], approves: ["technical"] },
      { token: tokens.cy, name: "cy", roles: ["approve"], approves: ["operational"] },
    ],
    documents: memoryFlagDocuments({ flags: {}, rollouts: { [FLAG]: { version: 1, allow: { org: ["beta"] } } } }),
    service: world.service,
    clock: world.clock,
    alias: { flag: FLAG, plan: rolloutPlan({ owner: "team-threads" }), basePath: "/api/v2/admin" },
    ...more,
  });
  const server: Server = createServer(nodeListener(handler));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  async function call(
    who: keyof typeof tokens | undefined,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(who === undefined ? {} : { authorization: `Bearer ${tokens[who]}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed: unknown = text.startsWith("{") ? JSON.parse(text) : text;
    return { status: response.status, headers: response.headers, body: parsed };
  }
  return {
    world,
    url,
    call,
    async close() {
      handler.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
