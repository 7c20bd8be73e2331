import type { OptionName } from "./option-table.ts";

/** A command, or a verb of one, as the help and the parser know it. */
export interface Command {
  readonly summary: string;
  /** What follows the command besides options, each needed. */
  readonly operands?: readonly string[];
  readonly options: readonly OptionName[];
  /** What one should know, a paragraph each. */
  readonly details?: readonly string[];
  /** Command lines, each with what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Whether it needs no admin. */
  readonly local?: boolean;
}

const moduleDetails = (what: string): readonly string[] => [
  `The module's default export is the options of ${what} or a function that makes them, so that it can bring its own clients.`,
  "The report is a JSON file with a digest over its content; `rollout attest --report` hands it in. The exit code is the verdict's: 0 yes, 1 no.",
];

/** What `hebra-flags` can do, in the order of the help. */
export const commands = {
  list: {
    summary: "All flags and where their rollouts stand.",
    options: [],
    examples: [["hebra-flags list", "a table"]],
  },
  get: {
    summary: "One flag's entries and its ETag.",
    operands: ["flag"],
    options: [],
    examples: [["hebra-flags get engine-v2 --json", "for a script"]],
  },
  set: {
    summary: "Writes a flag's rollout entry.",
    operands: ["flag"],
    options: ["file", "reason", "etag"],
    details: [
      "The entry's version is raised by the admin. The flag is read first, so that a change that somebody else makes meanwhile is not lost: pass the --etag that you looked at to be sure.",
    ],
    examples: [["hebra-flags set engine-v2 --file rollout.json --reason 'beta customers'", "replaces the entry"]],
  },
  kill: {
    summary: "Legacy for everybody, at once.",
    operands: ["flag"],
    options: ["reason"],
    details: [
      "It beats every other rule, in every process within a second by push and within five by polling. `'*'` kills every flag.",
    ],
    examples: [
      ["hebra-flags kill engine-v2 --reason 'wrong prices'", "one flag"],
      ["hebra-flags kill '*' --reason 'data centre'", "all of them"],
    ],
  },
  unkill: {
    summary: "Takes a kill back.",
    operands: ["flag"],
    options: ["reason"],
    examples: [["hebra-flags unkill engine-v2 --reason 'prices are right again'", "the rollout's phase counts again"]],
  },
  explain: {
    summary: "Which engine serves, and by which rule.",
    operands: ["flag"],
    options: ["session", "project", "org"],
    examples: [["hebra-flags explain engine-v2 --session s1 --org acme", "every rule up to the one that decides"]],
  },
  rollout: {
    summary: "Moves a rollout, or leaves a record that unlocks an edge.",
    operands: ["verb", "flag"],
    options: ["reason"],
    examples: [
      ["hebra-flags rollout start engine-v2 --plan plan.json --reason 'beta'", "the first step"],
      ["hebra-flags rollout status engine-v2", "where it stands and what the next edges lack"],
    ],
  },
  watch: {
    summary: "A live view: arms, counters, guards against their lines, next edges and what holds them.",
    operands: ["flag"],
    options: ["every", "once"],
    details: [
      "On a terminal it redraws until Ctrl-C, and what was seen last stays. Elsewhere it writes one view after another, or with --json one document a line. While the admin does not answer it says so and goes on asking.",
    ],
    examples: [
      ["hebra-flags watch engine-v2", "on a terminal of its own"],
      ["hebra-flags watch engine-v2 --once --json", "one look, for a script"],
    ],
  },
  audit: {
    summary: "The chain of evidence and the flag's changes; fails when either was tampered with.",
    operands: ["flag"],
    options: [],
    examples: [["hebra-flags audit engine-v2", "who moved it, when and why"]],
  },
  incidents: {
    summary: "The latest incidents.",
    options: ["flag", "code", "unmatched", "limit"],
    examples: [["hebra-flags incidents --flag engine-v2 --unmatched", "those that need a rule"]],
  },
  simulate: {
    summary: "The real controller over made-up traffic on a virtual clock.",
    options: ["plan", "errors", "legacy-errors", "latency", "sessions", "seed"],
    local: true,
    details: ["For trying out a plan before it matters. Exits 1 when the rollout does not reach full."],
    examples: [
      ["hebra-flags simulate", "the default plan with a good engine"],
      [
        "hebra-flags simulate --plan plan.json --errors 10 --legacy-errors 1",
        "how soon ten times the errors are found",
      ],
    ],
  },
  "validate-no-regression": {
    summary: "Paired calls of both engines, compared field by field.",
    operands: ["module"],
    options: ["out"],
    local: true,
    details: moduleDetails("validateNoRegression()"),
    examples: [
      [
        "hebra-flags validate-no-regression parity.mjs --out parity.json",
        "at most 5 % a field, unless the module says otherwise",
      ],
    ],
  },
  "perf-baseline": {
    summary: "Both engines' operations under an open load.",
    operands: ["module"],
    options: ["baseline", "out"],
    local: true,
    details: moduleDetails("perfBaseline()"),
    examples: [
      ["hebra-flags perf-baseline load.mjs --baseline last.json --out now.json", "p95 against the last report's"],
    ],
  },
} as const satisfies Record<string, Command>;

/** A command's name. */
export type CommandName = keyof typeof commands;

/** The verbs of `rollout` that only look. */
export const lookingVerbs: readonly string[] = ["status", "postmortem"];

/** The verbs of `rollout`: those that move it, and those that leave a record. */
export const rolloutVerbs: Readonly<Record<string, Command>> = {
  start: {
    summary: "Begins: only the allow list is served.",
    options: ["plan"],
    examples: [["hebra-flags rollout start engine-v2 --plan plan.json --reason 'beta'", "by the plan's owner"]],
  },
  advance: {
    summary: "Takes the next step, if its evidence is there.",
    options: [],
    examples: [
      ["hebra-flags rollout advance engine-v2 --reason 'the checklist is done'", "else it says what is missing"],
    ],
  },
  cutover: {
    summary: "Goes to full from shadow or canary, if the evidence is there.",
    options: [],
    examples: [["hebra-flags rollout cutover engine-v2 --reason 'signed'", "past the steps that are left"]],
  },
  retreat: {
    summary: "Takes the last step back.",
    options: [],
    examples: [["hebra-flags rollout retreat engine-v2 --reason 'slower than it should be'", "one step"]],
  },
  "set-hold-back": {
    summary: "How many stay on legacy in full.",
    options: ["hold-back"],
    examples: [
      ["hebra-flags rollout set-hold-back engine-v2 --hold-back 0 --reason 'last ones'", "before it is retired"],
    ],
  },
  pause: {
    summary: "Holds; the split stays as it is.",
    options: [],
    examples: [["hebra-flags rollout pause engine-v2 --reason 'looking into a complaint'", "for a person to judge"]],
  },
  resume: {
    summary: "Goes on where it was paused; a new test begins.",
    options: [],
    examples: [["hebra-flags rollout resume engine-v2 --reason 'it was the network'", "by a person"]],
  },
  rollback: {
    summary: "Legacy for everybody, latched; a postmortem is opened.",
    options: [],
    examples: [["hebra-flags rollout rollback engine-v2 --reason 'wrong prices'", "always allowed"]],
  },
  reset: {
    summary: "Leads out of a rollback, after its rest.",
    options: ["to", "plan"],
    examples: [["hebra-flags rollout reset engine-v2 --to shadow --reason 'fixed in 2.0.1'", "a new beginning"]],
  },
  retire: {
    summary: "The old engine is done with: its endpoints may answer 410.",
    options: [],
    examples: [["hebra-flags rollout retire engine-v2 --reason 'nobody calls it'", "after clean days"]],
  },
  reinstate: {
    summary: "Takes a retirement back, until the old code is removed.",
    options: [],
    examples: [["hebra-flags rollout reinstate engine-v2 --reason 'one caller is left'", "back to full"]],
  },
  approve: {
    summary: "A signature under the next edge.",
    options: ["role"],
    examples: [
      [
        "hebra-flags rollout approve engine-v2 --role technical --reason 'reviewed'",
        "by somebody who did not start it",
      ],
    ],
  },
  attest: {
    summary: "A record that an edge asks for.",
    options: ["item", "link", "digest", "report"],
    details: [
      "`no-regression` and `performance-baseline` need the report itself. Items that begin with `override:` need the role approve.",
    ],
    examples: [
      [
        "hebra-flags rollout attest engine-v2 --item on-call --link https://… --reason 'rota is set'",
        "a person's word",
      ],
      [
        "hebra-flags rollout attest engine-v2 --item no-regression --report parity.json --reason 'run 42'",
        "a checked report",
      ],
    ],
  },
  smoke: {
    summary: "The verdict of a smoke test.",
    options: ["fail", "link"],
    examples: [["hebra-flags rollout smoke engine-v2 --reason 'run 42'", "it passed"]],
  },
  "legacy-usage": {
    summary: "How often the old endpoints are still called.",
    options: ["calls"],
    examples: [
      ["hebra-flags rollout legacy-usage engine-v2 --calls 0 --reason 'from the access log'", "before it is retired"],
    ],
  },
  remove: {
    summary: "The old code is gone: nothing leads back.",
    options: [],
    examples: [["hebra-flags rollout remove engine-v2 --reason 'deleted in 3.0.0'", "from retired alone"]],
  },
  "close-postmortem": {
    summary: "The postmortem of a rollback is written.",
    options: ["id", "link"],
    examples: [
      [
        "hebra-flags rollout close-postmortem engine-v2 --id engine-v2-7 --link https://… --reason 'reviewed'",
        "due in 24 hours",
      ],
    ],
  },
  postmortem: {
    summary: "The postmortem of a rollback, filled from the evidence and the incidents; needs no reason.",
    options: ["id"],
    examples: [["hebra-flags rollout postmortem engine-v2 --id engine-v2-7 > postmortem.md", "to go on from"]],
  },
  status: {
    summary: "Where it stands; needs no reason.",
    options: [],
    examples: [["hebra-flags rollout status engine-v2", "the same view as `watch`, once"]],
  },
};
