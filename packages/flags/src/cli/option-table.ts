import type { OptionTable, OptionValues } from "@hebra/cli-kit";

/** The options that commands share, once. */
export const optionTable = {
  reason: { argument: "TEXT", help: "why; it is kept with the evidence" },
  file: { argument: "FILE", help: "JSON: the flag's rollout entry" },
  etag: { argument: "ETAG", help: "write only if the flag has not changed since", default: "read first" },
  ahead: { help: "kill a flag that does not exist yet" },
  session: { argument: "ID", help: "the session that asks" },
  project: { argument: "ID", help: "its project" },
  org: { argument: "ID", help: "its organisation; of incidents, only those of this one" },
  plan: { argument: "FILE", help: "JSON: the plan; only `owner` is required" },
  role: { argument: "ROLE", help: "technical or operational" },
  item: {
    argument: "ITEM",
    help: "what is attested: training, on-call, rollback-rehearsal, override:shadow-time …",
  },
  link: { argument: "URL", help: "where the proof is" },
  digest: { argument: "SHA256", help: "digest of what the link points to" },
  report: { argument: "FILE", help: "the report itself; its digest and verdict are checked" },
  to: { argument: "PHASE", help: "internal or shadow", default: "internal" },
  "hold-back": { argument: "PERCENT", help: "share that stays on legacy, 0 to 100" },
  calls: { argument: "N", help: "unpinned calls of the old endpoints in the last day" },
  id: { argument: "ID", help: "the postmortem, as `rollout status` names it" },
  fail: { help: "the smoke test failed" },
  key: { argument: "TEXT", help: "idempotency key: the same change is made once" },
  every: { argument: "SECONDS", help: "time between two views, at least 0.5", default: "5" },
  once: { help: "one view, without redrawing" },
  flag: { argument: "FLAG", help: "only of this flag" },
  code: { argument: "CODE", help: "only with this error code" },
  kind: { argument: "KIND", help: "only of this kind: failed-turn, rollback …" },
  open: { help: "only those that nobody closed" },
  unmatched: { help: "only those that no rule matches" },
  limit: { argument: "N", help: "how many, the latest first", default: "100" },
  errors: { argument: "PERCENT", help: "sessions that fail on the new engine", default: "as on the old one" },
  "legacy-errors": { argument: "PERCENT", help: "sessions that fail on the old engine", default: "0.4" },
  latency: { argument: "FACTOR", help: "how many times slower the new engine is", default: "1" },
  sessions: { argument: "N", help: "sessions an hour", default: "1200" },
  seed: { argument: "N", help: "seed of the random traffic", default: "1" },
  scenario: { argument: "FILE", help: "JSON: what is simulated; or the name of a scenario of the package" },
  runs: { argument: "N", help: "how many runs, each with the next seed", default: "20" },
  print: { help: "write the scenario out and run nothing" },
  baseline: { argument: "FILE", help: "an earlier report to compare with" },
  out: { argument: "FILE", help: "where the report is written" },
  config: { argument: "FILE", help: "JSON: stores, tokens, policy and the rest", default: "files below .hebra/flags" },
  app: { argument: "MODULE", help: "the parts that are code; see the command" },
  fault: {
    argument: "FAULT",
    help: "dns, provider-5xx, tool-error, store-down or forced-error",
    default: "provider-5xx",
  },
  environment: { argument: "NAME", help: "of the deployment", default: "ENVIRONMENT, or staging" },
  port: { argument: "N", help: "port to serve on; 0 for a free one", default: "4100" },
  host: { argument: "ADDRESS", help: "address to listen on", default: "127.0.0.1" },
  url: { argument: "URL", help: "the admin's address", default: "HEBRA_FLAGS_URL" },
  token: {
    argument: "TOKEN",
    help: "better set HEBRA_FLAGS_TOKEN: other processes can read arguments",
    default: "HEBRA_FLAGS_TOKEN",
  },
  json: { help: "JSON on standard output, for programs" },
} as const satisfies OptionTable;

/** One option's name. */
export type OptionName = keyof typeof optionTable;

/** The options as parsed. */
export type Given = OptionValues<typeof optionTable>;
