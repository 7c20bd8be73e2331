/** An answer as JSON. */
export const json = (status: number, body: object, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });

/** What a request that is not taken is told: a stable code, and what to do. */
export const problem = (status: number, code: string, message: string, headers?: Record<string, string>): Response =>
  json(status, { code, message }, headers);
