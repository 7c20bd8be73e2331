import type { AdminRole } from "./tokens.ts";

/** A JSON Schema. */
type Schema = Readonly<Record<string, unknown>>;

/** What a route is, for the index and the OpenAPI document. */
export interface Description {
  readonly summary: string;
  readonly role: AdminRole;
  /** Members of the JSON body; names that end with `?` may be left out. */
  readonly body?: Readonly<Record<string, Schema>>;
  readonly query?: Readonly<Record<string, Schema>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** @defaultValue application/json */
  readonly answer?: "application/json" | "text/markdown" | "text/event-stream";
  /** Statuses besides 200, 401, 403 and 500. */
  readonly refusals?: readonly number[];
}

const string: Schema = { type: "string", minLength: 1 };
const flag: Schema = { type: "boolean" };
const number: Schema = { type: "number", minimum: 0 };
const object: Schema = { type: "object" };
const reason = { reason: { ...string, description: "Kept with the evidence." } };
const idempotency = { "idempotency-key": "The same change with the same key is made once." };
const kill = { ...reason, "environment?": { ...string, description: "Only in this environment." } };

/** Every route but the rollout's verbs and the short verbs, by method and pattern. */
export const descriptions: Readonly<Record<string, Description>> = {
  "GET /": { summary: "This list of routes.", role: "read" },
  "GET /v1/openapi.json": { summary: "The routes as an OpenAPI 3.1 document.", role: "read" },
  "GET /v1/flags": { summary: "All flags with their rollouts' effect.", role: "read" },
  "GET /v1/flags/:key": { summary: "One flag's entries; the ETag is for a later PUT.", role: "read", refusals: [404] },
  "PUT /v1/flags/:key": {
    summary: "Writes a flag's entries. A kill stays.",
    role: "operate",
    body: { ...reason, "rollout?": object, "flag?": object },
    headers: { "if-match": "The ETag that was read, or `*`.", "if-none-match": "`*` for a new flag." },
    refusals: [400, 412, 428],
  },
  "POST /v1/flags/:key/kill": {
    summary: "Serves legacy to everybody at once; `*` stands for all flags.",
    role: "operate",
    body: { ...kill, "ahead?": { ...flag, description: "Kill a flag before it exists." } },
    refusals: [400, 404, 503],
  },
  "POST /v1/flags/:key/unkill": { summary: "Lifts a kill.", role: "operate", body: kill, refusals: [400, 404, 503] },
  "POST /v1/explain": {
    summary: "Which engine serves a context, and by which rule.",
    role: "read",
    body: { flag: string, "context?": object },
    refusals: [400],
  },
  "GET /v1/document": {
    summary: "The document merged with the rollouts, for HTTP providers.",
    role: "read",
    headers: { "if-none-match": "The ETag that is known." },
    refusals: [304],
  },
  "GET /v1/events": {
    summary: "Server-sent events that say when something changed.",
    role: "read",
    answer: "text/event-stream",
  },
  "GET /v1/policy": { summary: "The policy in force.", role: "read" },
  "GET /v1/flags/:key/rollout": {
    summary: "Where a rollout stands: arms, guards, next edges and what they lack.",
    role: "read",
    refusals: [404],
  },
  "GET /v1/flags/:key/audit": {
    summary: "The evidence and the changes of a flag, and whether both chains are intact.",
    role: "read",
  },
  "GET /v1/flags/:key/postmortems/:id": {
    summary: "The postmortem of a rollback, filled from the evidence and the incidents.",
    role: "read",
    answer: "text/markdown",
    refusals: [404],
  },
  "GET /v1/incidents": {
    summary: "Incidents, the latest first.",
    role: "read",
    query: {
      open: flag,
      kind: string,
      flag: string,
      org: string,
      code: string,
      fingerprint: string,
      matched: flag,
      since: { ...string, format: "date-time" },
      limit: { type: "integer", minimum: 1, maximum: 1_000 },
    },
    refusals: [400],
  },
  "POST /v1/incidents": {
    summary: "Records an error, or the incident of a rehearsal.",
    role: "operate",
    body: {
      code: string,
      message: string,
      component: string,
      "kind?": { enum: ["error", "rehearsal"] },
      ...Object.fromEntries(
        ["id", "flag", "org", "project", "session", "executionId", "contextId", "traceId"].map((name) => [
          `${name}?`,
          string,
        ]),
      ),
      "context?": object,
    },
    refusals: [400, 404],
  },
  "GET /v1/incidents/:id": { summary: "One incident.", role: "read", refusals: [404] },
  "POST /v1/incidents/:id/close": {
    summary: "Closes an incident.",
    role: "operate",
    body: { ...reason, "link?": string },
    refusals: [400, 404],
  },
  "POST /ofrep/v1/evaluate/flags/:key": {
    summary: "OpenFeature Remote Evaluation: one flag.",
    role: "read",
    body: { "context?": object },
    refusals: [400, 404],
  },
  "POST /ofrep/v1/evaluate/flags": {
    summary: "OpenFeature Remote Evaluation: all flags.",
    role: "read",
    body: { "context?": object },
    headers: { "if-none-match": "The ETag that is known." },
    refusals: [304, 400],
  },
};

const verb = (summary: string, body: Readonly<Record<string, Schema>> = {}, role: AdminRole = "operate") => ({
  summary,
  role,
  body: { ...reason, ...body },
  headers: { ...idempotency, "if-match": "The rollout's revision that was read." },
  refusals: [400, 404, 409, 412],
});

/** The verbs of `POST /v1/flags/:key/rollout/:verb`. */
export const verbDescriptions: Readonly<Record<string, Description>> = {
  start: verb("Begins: only the allow list is served.", { plan: object }),
  advance: verb("Takes the next step, if its evidence is there."),
  cutover: verb("Goes to full from shadow or canary, if the evidence is there."),
  retreat: verb("Takes the last step back."),
  "set-hold-back": verb("How many percent stay on legacy in full.", { holdBack: number }),
  pause: verb("Holds; the split stays as it is."),
  resume: verb("Goes on where it was paused; a new test begins."),
  rollback: verb("Legacy for everybody, latched; an incident and a postmortem open."),
  reset: verb("Leads out of a rollback, after its rest.", {
    "to?": { enum: ["internal", "shadow"] },
    "plan?": object,
  }),
  retire: verb("The old endpoints may answer 410.", {}, "approve"),
  reinstate: verb("Takes a retirement back.", {}, "approve"),
  amend: verb("Changes the plan of a running rollout, once it is approved.", { plan: object }),
  approve: verb(
    "Signs the next edge, or with `plan` an amendment.",
    { role: { enum: ["technical", "operational"] }, "plan?": object },
    "approve",
  ),
  attest: verb("Leaves a record that an edge asks for.", {
    item: string,
    "link?": string,
    "digest?": string,
    "report?": object,
  }),
  smoke: verb("The verdict of a smoke test.", { ok: flag, "link?": string, "report?": object }),
  "legacy-usage": verb("How often the old endpoints are still called.", { calls: number }),
  remove: verb("The old code is gone.", {}, "approve"),
  "close-postmortem": verb("The postmortem of a rollback is written.", { id: string, link: string }),
};

const alias = (summary: string, role: AdminRole = "operate"): Description => ({
  summary,
  role,
  body: { "reason?": string },
  headers: idempotency,
  refusals: [400, 409],
});

/** The short verbs, below their own base path. */
export const aliasDescriptions: Readonly<Record<string, Description>> = {
  "GET /flags": { summary: "The four switches of a two-version migration.", role: "read" },
  "POST /flags": {
    ...alias("Sets one switch."),
    body: {
      flag: { enum: ["v2_enabled", "shadow_mode", "v2_primary", "v1_deprecated"] },
      enabled: flag,
      "reason?": string,
    },
  },
  "POST /enable-shadow-mode": alias("Goes from internal to shadow."),
  "POST /migrate-to-v2": alias("Goes to full, if the evidence is there."),
  "POST /rollback-to-v1": alias("Legacy for everybody."),
  "POST /complete-v1-deprecation": alias("The old endpoints may answer 410.", "approve"),
};
