import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { digest } from "@hebra/core";
import { httpChecks, runGoNoGo, type GoNoGoBar, type GoNoGoCheck, type GoNoGoReport } from "@hebra/thread/testing";
import { localHost } from "./local-host.ts";

const help = `Says whether a rollout may go on. Ends with 1 when a bar does not hold.

  pnpm gonogo                            the suite over a host on this machine
  pnpm gonogo --json FILE                also writes the verdict as JSON
  pnpm gonogo --evidence FILE            and as evidence for \`rollout attest --item go-no-go --report FILE\`
  pnpm gonogo --url URL --read PATH      a deployed host: one read
                        --write PATH     and one trigger, posted there
                        --trigger JSON   what is posted; the same each time, so that a host takes it once
                        --checks FILE    and the checks that the module FILE exports as \`checks\`
                        --header "name: value"
`;

const { values } = parseArgs({
  // A package manager may hand over its own separator.
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    json: { type: "string" },
    evidence: { type: "string" },
    url: { type: "string" },
    read: { type: "string", default: "/" },
    write: { type: "string" },
    trigger: { type: "string" },
    checks: { type: "string" },
    header: { type: "string", multiple: true, default: [] },
    help: { type: "boolean", short: "h", default: false },
  },
});

const onBar = (name: string, { value, bound, unit, ok, note }: GoNoGoBar) =>
  console.log(
    `${ok ? "go   " : "NO GO"}  ${name.padEnd(24)} ${value ?? "not measured"} ${unit} (bound ${bound})${note === undefined ? "" : `  ${note}`}`,
  );

async function ownChecks(): Promise<GoNoGoCheck[]> {
  if (values.checks === undefined) return [];
  const { checks } = (await import(
    pathToFileURL(resolve(process.env["INIT_CWD"] ?? process.cwd(), values.checks)).href
  )) as { checks: GoNoGoCheck[] };
  return checks;
}

async function run(): Promise<GoNoGoReport> {
  const own = await ownChecks();
  if (values.url !== undefined) {
    const headers = Object.fromEntries(
      values.header.map((line) => [line.slice(0, line.indexOf(":")).trim(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const checks = httpChecks({
      url: values.url,
      read: values.read,
      headers,
      ...(values.write === undefined ? {} : { write: values.write }),
      ...(values.trigger === undefined ? {} : { trigger: JSON.parse(values.trigger) as unknown }),
    });
    return runGoNoGo({ host: { name: new URL(values.url).host }, standard: false, checks: [...checks, ...own], onBar });
  }
  const directory = mkdtempSync(join(tmpdir(), "hebra-gonogo-"));
  const host = await localHost(join(directory, "desk.db"));
  try {
    return await runGoNoGo({ host, checks: own, onBar });
  } finally {
    await host.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The verdict as a rollout reads it: with a digest over its content. */
function evidenceOf({ host, at, phases, verdict, ok }: GoNoGoReport): object {
  const problems = Object.entries(verdict).flatMap(([name, bar]) =>
    bar.ok ? [] : [`${name}: ${bar.value ?? "not measured"} ${bar.unit}, bound ${bar.bound}.`],
  );
  const content = { kind: "go-no-go", at: new Date(at).toISOString(), host, phases, verdict, problems, ok };
  return { ...content, digest: digest(content) };
}

if (values.help) {
  process.stdout.write(help);
} else {
  const report = await run();
  if (values.json !== undefined)
    writeFileSync(
      resolve(process.env["INIT_CWD"] ?? process.cwd(), values.json),
      `${JSON.stringify(report, null, 2)}\n`,
    );
  if (values.evidence !== undefined)
    writeFileSync(
      resolve(process.env["INIT_CWD"] ?? process.cwd(), values.evidence),
      `${JSON.stringify(evidenceOf(report), null, 2)}\n`,
    );
  console.log(report.ok ? "GO" : "NO GO");
  process.exitCode = report.ok ? 0 : 1;
}
