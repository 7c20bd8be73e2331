/** One command, for the help. */
export interface CommandHelp {
  readonly usage: string;
  readonly summary: string;
}

/** Every command, in the order of the help. */
export const help: Readonly<Record<string, CommandHelp>> = {
  list: { usage: "list", summary: "All flags and where their rollouts stand." },
  get: { usage: "get <flag>", summary: "One flag's entries." },
  set: { usage: "set <flag> --file <rollout.json> --reason <text> [--etag <etag>]", summary: "Writes a flag's rollout entry; the ETag is read first when none is given." },
  kill: { usage: "kill <flag> --reason <text>", summary: "Legacy for everybody, at once." },
  unkill: { usage: "unkill <flag> --reason <text>", summary: "Takes a kill back." },
  explain: { usage: "explain <flag> [--session <id>] [--project <id>] [--org <id>]", summary: "Which engine serves, and by which rule." },
  rollout: {
    usage: "rollout <start|advance|cutover|approve|attest|smoke|pause|resume|retreat|rollback|reset|set-hold-back|retire|reinstate|status> <flag> --reason <text> [--plan <file>] [--role <role>] [--item <item>] [--link <url>] [--to <phase>] [--hold-back <percent>] [--fail]",
    summary: "Moves a rollout, or leaves a record that unlocks an edge.",
  },
  watch: { usage: "watch <flag> [--every <seconds>] [--once]", summary: "A live view: arms, counters, guards against their lines, next edges and what holds them." },
  audit: { usage: "audit <flag>", summary: "The chain of evidence and the flag's changes; fails when the chain is broken." },
  incidents: { usage: "incidents [--flag <flag>] [--code <code>] [--unmatched] [--limit <n>]", summary: "The latest incidents." },
  simulate: { usage: "simulate [--plan <file>] [--errors <percent>] [--legacy-errors <percent>] [--latency <factor>] [--sessions <per hour>] [--seed <n>]", summary: "The real controller over made-up traffic on a virtual clock; exits 1 when it does not reach full." },
  "validate-no-regression": { usage: "validate-no-regression <module> [--out <file>]", summary: "Paired calls of both engines; the module's default export is the options. Exits 1 when the verdict is no." },
  "perf-baseline": { usage: "perf-baseline <module> [--baseline <file>] [--out <file>]", summary: "Open-model load; the module's default export is the options. Exits 1 when the verdict is no." },
};

/** The help of everything, or of one command. */
export function helpText(command?: string): string {
  const one = command === undefined ? undefined : help[command];
  if (one !== undefined) return `hebra-flags ${one.usage}\n\n${one.summary}\n`;
  const names = Object.keys(help);
  const width = Math.max(...names.map((name) => name.length));
  return [
    "hebra-flags <command> [options]", "",
    ...names.map((name) => `  ${name.padEnd(width)}  ${help[name]!.summary}`), "",
    "  --url <url>      the admin; or HEBRA_FLAGS_URL", "  --token <token>  or HEBRA_FLAGS_TOKEN", "  --json           machine-readable output", "  --key <text>     idempotency key of a change", "  --help           this, or one command's", "",
    "Exit codes: 0 done, 1 refused or the verdict is no, 2 not understood, 3 not reached or not let in.", "",
  ].join("\n");
}
