/** An answer as JSON. */
export const json = (status: number, body: object, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });

/** Characters of a message at most. */
const MAX_MESSAGE = 1_000;

/** What a request that is not taken is told: a stable code, and what to do. */
export const problem = (status: number, code: string, message: string, headers?: Record<string, string>): Response =>
  json(
    status,
    { code, message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1)}…` : message },
    headers,
  );
