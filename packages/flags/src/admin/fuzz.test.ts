import { expect, it } from "vitest";
import { memoryIncidents } from "../incident/stores.ts";
import { createRandom } from "../rollout/workload.ts";
import { FLAG } from "../rollout/rollout-world.fixture.ts";
import { serveAdmin, tokens } from "./admin.fixture.ts";

const SEED = 20_261_130;
/** All of them in the soak; enough of each route in every run. */
const REQUESTS = process.env["HEBRA_SOAK"] === "1" ? 10_000 : 3_000;

/** One valid request of each route. */
const routes: readonly (readonly [method: string, path: string, who: keyof typeof tokens, body?: object])[] = [
  ["GET", "/v1/flags", "reader"],
  ["GET", `/v1/flags/${FLAG}`, "reader"],
  ["PUT", `/v1/flags/${FLAG}`, "ana", { reason: "r", rollout: { version: 1, allow: { org: ["beta"] } } }],
  ["POST", `/v1/flags/${FLAG}/kill`, "ana", { reason: "r" }],
  ["POST", `/v1/flags/${FLAG}/unkill`, "ana", { reason: "r" }],
  ["POST", "/v1/explain", "reader", { flag: FLAG, context: { session: "s", org: "beta" } }],
  ["GET", "/v1/document", "reader"],
  ["GET", `/v1/flags/${FLAG}/rollout`, "reader"],
  ["POST", `/v1/flags/${FLAG}/rollout/start`, "ana", { reason: "r", plan: { owner: "t" } }],
  ["POST", `/v1/flags/${FLAG}/rollout/advance`, "ana", { reason: "r" }],
  ["POST", `/v1/flags/${FLAG}/rollout/attest`, "ana", { reason: "r", item: "training", link: "https://x" }],
  ["POST", `/v1/flags/${FLAG}/rollout/approve`, "bo", { reason: "r", role: "technical" }],
  ["POST", `/v1/flags/${FLAG}/rollout/smoke`, "ana", { reason: "r", ok: true }],
  ["GET", `/v1/flags/${FLAG}/audit`, "reader"],
  ["GET", `/v1/flags/${FLAG}/postmortems/p1`, "reader"],
  ["GET", "/v1/incidents?limit=10&open=true", "reader"],
  ["POST", "/v1/incidents", "ana", { code: "X", message: "m", component: "c", context: { a: 1 } }],
  ["GET", "/v1/incidents/i-1", "reader"],
  ["POST", "/v1/incidents/i-1/close", "ana", { reason: "r", link: "https://x.example" }],
  ["GET", "/v1/policy", "reader"],
  ["GET", "/", "reader"],
  ["GET", "/v1/openapi.json", "reader"],
  ["POST", `/ofrep/v1/evaluate/flags/${FLAG}`, "reader", { context: { targetingKey: "s" } }],
  ["POST", "/ofrep/v1/evaluate/flags", "reader", { context: { targetingKey: "s" } }],
  ["GET", "/api/v2/admin/flags", "reader"],
  ["POST", "/api/v2/admin/flags", "ana", { flag: "v2_enabled", enabled: true }],
  ["POST", "/api/v2/admin/enable-shadow-mode", "ana", {}],
  ["POST", "/api/v2/admin/migrate-to-v2", "ana", {}],
  ["POST", "/api/v2/admin/rollback-to-v1", "ana", {}],
];

const junk: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  "",
  "\u0000",
  "x".repeat(5_000),
  [],
  {},
  [[[]]],
  { constructor: 1 },
  "../..",
  "🙂",
  "__proto__",
];
const paths = ["%", "%00", "%2e%2e", "..", "constructor", "__proto__", "🙂", " ", "a/b", "*", "%E0%A4%A"];

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | undefined;
  /** Nobody with such a token may be let in. */
  readonly outsider: boolean;
}

/** One member somewhere in a document is replaced, removed or added. */
function mutate(value: unknown, pick: <T>(from: readonly T[]) => T): unknown {
  if (typeof value !== "object" || value === null) return pick(junk);
  const entries = Object.entries(value);
  if (entries.length === 0) return { [pick(["x", "reason", "plan", "__proto__"])]: pick(junk) };
  const [name, old] = pick(entries);
  const rest = Object.fromEntries(entries.filter(([other]) => other !== name));
  return pick([
    () => rest,
    () => ({ ...value, [name]: pick(junk) }),
    () => ({ ...value, [name]: mutate(old, pick) }),
    () => ({ ...value, extra: pick(junk) }),
  ])();
}

function request(at: number, random: () => number): Sent {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const [method, path, who, valid] = routes[at % routes.length]!;
  const body = valid === undefined ? undefined : JSON.stringify(valid);
  const headers = {
    authorization: `Bearer ${tokens[who]}`,
    "content-type": "application/json",
    ...(method === "PUT" ? { "if-match": "*" } : {}),
  };
  const sent: Sent = { method, path, headers, body, outsider: false };
  const segments = path.split("/");
  const elsewhere = () => ({
    path: segments.map((one, index) => (index > 0 && random() < 0.4 ? pick(paths) : one)).join("/"),
  });
  const stranger = () => ({
    headers: {
      ...headers,
      authorization: pick([
        "",
        "Bearer",
        "Bearer x",
        "Basic eDp5",
        `Bearer ${tokens.ana}.`,
        "Bearer undefined",
        `bearer\t${tokens.ana}x`,
      ]),
    },
    outsider: true,
  });
  // Every second request is a valid one with one mutation; the others are wild.
  if (Math.floor(at / routes.length) % 2 === 0) {
    const mutations: readonly (() => Partial<Sent>)[] = [
      () => ({ body: body === undefined ? "{}" : JSON.stringify(mutate(JSON.parse(body), pick)) }),
      () => ({ body: body?.slice(0, Math.floor(random() * body.length)) }),
      () => ({
        headers: {
          ...headers,
          [pick(["if-match", "if-none-match", "idempotency-key", "accept", "content-type"])]: pick([
            "*",
            'W/"x"',
            '"',
            "x",
            ",",
            '"a","b"',
          ]),
        },
      }),
      () => ({ method: pick(["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS"]) }),
      elsewhere,
      stranger,
    ];
    return { ...sent, ...pick(mutations)() };
  }
  const wild = JSON.stringify(pick(junk));
  return {
    ...sent,
    ...elsewhere(),
    ...(random() < 0.5 ? stranger() : {}),
    body: pick([wild, "{", "[1]", "\u0000", undefined]),
  };
}

it(`${REQUESTS} malformed requests crash nothing, get no 5xx, and let nobody in`, async () => {
  console.log(`fuzz seed ${SEED}`);
  const admin = await serveAdmin({ incidents: memoryIncidents() });
  const random = createRandom(SEED);
  const counts: Record<string, Record<number, number>> = {};
  const wrong: unknown[] = [];
  const one = async (at: number) => {
    const { method, path, headers, body, outsider } = request(at, random);
    const bodyless = method === "GET" || method === "HEAD" || body === undefined;
    const response = await fetch(`${admin.url}${path}`, {
      method,
      headers,
      ...(bodyless ? {} : { body }),
      redirect: "manual",
    });
    await response.arrayBuffer();
    const { status } = response;
    const route = routes[at % routes.length]!.slice(0, 2).join(" ");
    counts[route] = { ...counts[route], [status]: (counts[route]?.[status] ?? 0) + 1 };
    if (status >= 500 || (outsider && status !== 401)) wrong.push({ at, method, path, headers, body, status });
  };
  for (let at = 0; at < REQUESTS; at += 20) await Promise.all(Array.from({ length: 20 }, (_, more) => one(at + more)));
  console.log(
    Object.entries(counts)
      .map(([route, statuses]) => `${route} ${JSON.stringify(statuses)}`)
      .join("\n"),
  );
  expect(wrong.slice(0, 5)).toEqual([]);
  for (const statuses of Object.values(counts))
    expect(Object.values(statuses).reduce((a, b) => a + b)).toBeGreaterThanOrEqual(100);
  expect((await admin.call(undefined, "GET", "/healthz")).status).toBe(200);
  await admin.close();
}, 240_000);
