import { shippedScenarios } from "../rollout/simulate/shipped-scenarios.ts";
import type { OptionName } from "./option-table.ts";

/** A command as data; what it does is in `commands.ts`. */
export interface Entry {
  readonly summary: string;
  /** What follows the command besides options, each required. */
  readonly operands?: string;
  readonly options: readonly OptionName[];
  /** What one should know, a paragraph each. */
  readonly details?: readonly string[];
  /** Command lines without the program, each with what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Whether it needs no admin. */
  readonly local?: boolean;
}

const moduleDetails = (what: string): readonly string[] => [
  `The module's default export is the options of ${what} or a function that makes them, so that it can bring its own clients.`,
  "The report is a JSON file with a digest over its content; `rollout attest --report` submits it. The exit code is the verdict's: 0 passed, 2 failed.",
];

/** The commands about flags, in the order of the help. */
export const flagEntries = {
  list: {
    summary: "Lists all flags and the state of their rollouts.",
    options: [],
    details: [
      "A flag is shown with its version, its canary and shadow shares, its owner, and whether it is killed. Below are the flags to tidy up: expired ones, and retired ones that are still in the document or depended upon.",
    ],
    examples: [["list", "a table"]],
  },
  get: {
    summary: "Prints one flag's entries and its ETag.",
    operands: "<flag>",
    options: [],
    examples: [["get engine-v2 --json", "for a script"]],
  },
  set: {
    summary: "Writes a flag's rollout entry.",
    operands: "<flag>",
    options: ["file", "reason", "etag"],
    details: [
      "The admin raises the entry's version. The flag is read first, so a change made by somebody else in between is not lost; pass the --etag that you looked at to be sure. It exits with 4 when the flag has changed.",
    ],
    examples: [["set engine-v2 --file rollout.json --reason 'beta customers'", "replaces the entry"]],
  },
  kill: {
    summary: "Serves legacy to everybody, at once.",
    operands: "<flag>",
    options: ["reason", "ahead"],
    details: [
      "It beats every other rule, in every process within a second by push and within five by polling. `'*'` kills every flag. A flag that does not exist is refused, because its kill would stop nothing; --ahead kills it before it exists.",
    ],
    examples: [
      ["kill engine-v2 --reason 'wrong prices'", "one flag"],
      ["kill '*' --reason 'data centre'", "all of them"],
    ],
  },
  unkill: {
    summary: "Lifts a kill.",
    operands: "<flag>",
    options: ["reason"],
    examples: [["unkill engine-v2 --reason 'prices are right again'", "the rollout's phase counts again"]],
  },
  explain: {
    summary: "Shows which engine serves a session, and by which rule.",
    operands: "<flag>",
    options: ["session", "project", "org"],
    examples: [["explain engine-v2 --session s1 --org acme", "every rule up to the one that decides"]],
  },
  watch: {
    summary: "Shows a rollout live: arms, counters, guards with their thresholds, next steps and what blocks them.",
    operands: "<flag>",
    options: ["every", "once"],
    details: [
      "On a terminal it redraws until Ctrl-C and leaves the last view behind. Elsewhere it writes one view after another, or with --json one document a line. While the admin does not answer it says so and keeps asking.",
    ],
    examples: [
      ["watch engine-v2", "on a terminal of its own"],
      ["watch engine-v2 --once --json", "one look, for a script"],
    ],
  },
  policy: {
    summary: "Prints the policy in force: who may do what, how many approve, what a plan must contain.",
    options: [],
    examples: [["policy", "by flag; `*` stands for the others"]],
  },
  audit: {
    summary: "Prints the evidence and changes of a flag, and verifies that neither was tampered with.",
    operands: "<flag>",
    options: [],
    examples: [["audit engine-v2", "who changed it, when and why"]],
  },
  serve: {
    summary: "Serves the admin: flags, rollouts, incidents and the controller that watches them.",
    options: ["config", "app", "port", "host"],
    local: true,
    details: [
      "Without --config everything is in files below .hebra/flags, and HEBRA_FLAGS_TOKEN is the one token, which reads and operates. The configuration names stores in files, Redis, PostgreSQL or SQLite, and people with their tokens and roles; `${NAME}` as a value is an environment variable, or the file that NAME_FILE names. There are no default credentials.",
      "--app is a module with the parts that are code: `authenticate(request)` says who calls, `checks` are asked before a step, `usage` counts calls of the old endpoints.",
      "GET / lists the routes, GET /v1/openapi.json describes them, /healthz needs no token. On SIGTERM or Ctrl-C it ends what it answers and exits with 0.",
    ],
    examples: [
      ["serve", "files below .hebra/flags, on port 4100 of this host"],
      ["serve --config admin.json --host 0.0.0.0 --port 8080", "for others, behind TLS"],
    ],
  },
  simulate: {
    summary: "Runs the real controller over simulated traffic on a virtual clock.",
    options: ["plan", "errors", "legacy-errors", "latency", "sessions", "seed"],
    local: true,
    details: ["Use it to try out a plan. It exits with 2 when the rollout does not reach full."],
    examples: [
      ["simulate", "the default plan with a good engine"],
      ["simulate --plan plan.json --errors 10 --legacy-errors 1", "how soon ten times the errors are found"],
    ],
  },
  "validate-no-regression": {
    summary: "Calls both engines in pairs and compares the answers field by field.",
    operands: "<module>",
    options: ["out"],
    local: true,
    details: moduleDetails("validateNoRegression()"),
    examples: [
      ["validate-no-regression parity.mjs --out parity.json", "at most 5 % a field, unless the module says otherwise"],
    ],
  },
  "perf-baseline": {
    summary: "Measures both engines' operations under an open load.",
    operands: "<module>",
    options: ["baseline", "out"],
    local: true,
    details: moduleDetails("perfBaseline()"),
    examples: [["perf-baseline load.mjs --baseline last.json --out now.json", "p95 against the last report's"]],
  },
} as const satisfies Record<string, Entry>;

/** A flag command's name. */
export type FlagCommand = keyof typeof flagEntries;

/** The rollout commands that only look. */
export const lookingVerbs: readonly string[] = ["status", "postmortem"];

/** The commands that move a rollout, and those that leave a record. */
export const rolloutEntries: Readonly<Record<string, Entry>> = {
  start: {
    summary: "Begins: only the allow list is served.",
    options: ["plan"],
    examples: [["rollout start engine-v2 --plan plan.json --reason 'beta'", "by the plan's owner"]],
  },
  advance: {
    summary: "Takes the next step, if its evidence is there.",
    options: [],
    examples: [["rollout advance engine-v2 --reason 'the checklist is done'", "or says what is missing"]],
  },
  cutover: {
    summary: "Goes to full from shadow or canary, if the evidence is there.",
    options: [],
    examples: [["rollout cutover engine-v2 --reason 'signed'", "past the steps that are left"]],
  },
  retreat: {
    summary: "Takes the last step back.",
    options: [],
    examples: [["rollout retreat engine-v2 --reason 'slower than it should be'", "one step"]],
  },
  "set-hold-back": {
    summary: "How many stay on legacy in full.",
    options: ["hold-back"],
    examples: [["rollout set-hold-back engine-v2 --hold-back 0 --reason 'last ones'", "before it is retired"]],
  },
  pause: {
    summary: "Holds; the split stays as it is.",
    options: [],
    examples: [["rollout pause engine-v2 --reason 'looking into a complaint'", "for a person to judge"]],
  },
  resume: {
    summary: "Goes on where it was paused; a new test begins.",
    options: [],
    examples: [["rollout resume engine-v2 --reason 'it was the network'", "by a person"]],
  },
  rollback: {
    summary: "Legacy for everybody, latched; a postmortem is opened.",
    options: [],
    examples: [["rollout rollback engine-v2 --reason 'wrong prices'", "always allowed"]],
  },
  reset: {
    summary: "Leads out of a rollback, after its rest.",
    options: ["to", "plan"],
    examples: [["rollout reset engine-v2 --to shadow --reason 'fixed in 2.0.1'", "a new beginning"]],
  },
  retire: {
    summary: "The old engine is done with: its endpoints may answer 410.",
    options: [],
    examples: [["rollout retire engine-v2 --reason 'nobody calls it'", "after clean days"]],
  },
  reinstate: {
    summary: "Takes a retirement back, until the old code is removed.",
    options: [],
    examples: [["rollout reinstate engine-v2 --reason 'one caller is left'", "back to full"]],
  },
  approve: {
    summary: "A signature under the next edge, or with --plan under an amendment.",
    options: ["role", "plan"],
    examples: [
      ["rollout approve engine-v2 --role technical --reason 'reviewed'", "by somebody who did not start it"],
      ["rollout approve engine-v2 --role technical --plan new.json --reason 'reviewed'", "for `rollout amend`"],
    ],
  },
  amend: {
    summary: "Changes the plan of a running rollout, once both approvals are given for the new plan.",
    options: ["plan"],
    details: ["The share of the running step stays. Pass the same file that was approved."],
    examples: [["rollout amend engine-v2 --plan new.json --reason 'the old engine fails 1 %'", "after the approvals"]],
  },
  attest: {
    summary: "A record that an edge asks for.",
    options: ["item", "link", "digest", "report"],
    details: [
      "`no-regression`, `performance-baseline`, `rollback-rehearsal` and `go-no-go` need the report itself. Items that begin with `override:` need the role approve.",
    ],
    examples: [
      ["rollout attest engine-v2 --item on-call --link https://… --reason 'rota is set'", "a person's word"],
      ["rollout attest engine-v2 --item no-regression --report parity.json --reason 'run 42'", "a checked report"],
    ],
  },
  rehearse: {
    summary: "Performs a rollback: canary, injected fault, rollback, hand-back, with synthetic sessions.",
    options: ["app", "fault", "environment", "out"],
    details: [
      "--app is a module with the deployment's engines: `legacy`, `next` and `handover` as `route()` gets them, `outcome` where the answers are no turns of @hebra/thread, `whole(session)` to check the history, `inject(fault)` for a fault of its own. The rehearsal has a rollout of its own; the deployment's stays where it is.",
      "Faults are dns, provider-5xx, tool-error, store-down and forced-error, which is refused in production. It times each part, leaves an incident and writes a report. With an admin and --reason the report is handed in as evidence of `rollback-rehearsal`. It exits with 2 when a step did not happen.",
    ],
    examples: [
      ["rollout rehearse engine-v2 --app engines.mjs --fault dns --out drill.json", "a report, and nothing else"],
      [
        "rollout rehearse engine-v2 --app engines.mjs --fault forced-error --environment staging --reason 'drill 1'",
        "and its evidence and incident in the admin",
      ],
    ],
  },
  smoke: {
    summary: "The verdict of a smoke test.",
    options: ["fail", "link", "report"],
    details: ["With --report the verdict is the report's, such as that of `pnpm gonogo --evidence FILE`."],
    examples: [["rollout smoke engine-v2 --reason 'run 42'", "it passed"]],
  },
  "legacy-usage": {
    summary: "How often the old endpoints are still called.",
    options: ["calls"],
    examples: [["rollout legacy-usage engine-v2 --calls 0 --reason 'from the access log'", "before it is retired"]],
  },
  remove: {
    summary: "The old code is gone: nothing leads back.",
    options: [],
    examples: [["rollout remove engine-v2 --reason 'deleted in 3.0.0'", "from retired alone"]],
  },
  "close-postmortem": {
    summary: "The postmortem of a rollback is written.",
    options: ["id", "link"],
    examples: [
      ["rollout close-postmortem engine-v2 --id engine-v2-7 --link https://… --reason 'reviewed'", "due in 24 hours"],
    ],
  },
  postmortem: {
    summary: "The postmortem of a rollback, filled from the evidence and the incidents; needs no reason.",
    options: ["id"],
    examples: [["rollout postmortem engine-v2 --id engine-v2-7 > postmortem.md", "to go on from"]],
  },
  simulate: {
    summary:
      "Plays a rollout many times on a virtual clock: the real collector, service and controller over made-up sessions.",
    options: ["scenario", "runs", "seed", "print"],
    local: true,
    details: [
      `A scenario is a JSON file, or the name of one that comes with the package: ${Object.keys(shippedScenarios).join(", ")}. --print writes it out, to start one of your own from.`,
      "Sessions arrive through the day from tenants of unequal size, their turns are correlated, and durations and costs have heavy tails. The report says how often healthy rollouts are stopped, after how many sessions of the new engine harm is found, and what a rule that rolls back at twice the failing share would have done. It exits with 2 when the scenario expects something else.",
    ],
    examples: [
      ["rollout simulate --scenario errors-10x --runs 20", "how soon ten times the failures are found"],
      ["rollout simulate --scenario base --print > mine.json", "a file to change"],
      ["rollout simulate --scenario mine.json --runs 200 --json", "for a script"],
    ],
  },
  status: {
    summary: "Where it stands; needs no reason.",
    options: [],
    examples: [["rollout status engine-v2", "the same view as `watch`, once"]],
  },
};

/** The commands about incidents. */
export const incidentEntries = {
  list: {
    summary: "Lists incidents, the latest first.",
    options: ["open", "kind", "flag", "org", "code", "unmatched", "limit"],
    details: [
      "Kinds are failed-turn, rollback, critical-operation, unknown-growth, guard, rehearsal, and error for those that the host recorded itself. The same failure of the same flag, engine and tenant opens one incident an hour.",
    ],
    examples: [
      ["incidents list --open", "those that nobody closed"],
      ["incidents list --flag engine-v2 --unmatched", "those that need a rule"],
    ],
  },
  show: {
    summary: "Shows one incident: signature, decision, ids, context, and the draft of a rollback's postmortem.",
    operands: "<id>",
    options: [],
    examples: [["incidents show engine-v2-7", "a rollback has the id of its postmortem"]],
  },
  close: {
    summary: "Closes an incident.",
    operands: "<id>",
    options: ["reason", "link"],
    examples: [["incidents close engine-v2-7 --reason 'fixed in 2.0.1' --link https://…", "it stays in the list"]],
  },
} as const satisfies Record<string, Entry>;
