import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "vitest";
import { root } from "../../scripts/lib/paths.mjs";
import { errorCodes } from "@hebra/core";
import { faultParts } from "../chaos/parts.ts";
import { composeFile } from "./support/compose.ts";
import { commandLinesOf, parseCommandLine } from "./support/command-lines.ts";
import { readDeploy, yamlDocuments } from "./support/files.ts";
import { kubernetesManifests } from "./support/manifests.ts";
import { headingsOf, operationsPage } from "./support/operations-page.ts";

const page = operationsPage();
const shell = [...page.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)].map(([, code = ""]) => code).join("\n");
const faults = page.slice(page.indexOf("## Faults"));
const runbook = page.slice(page.indexOf("## Runbook"), page.indexOf("## Faults"));
const everything = `${shell}\n${readDeploy("kubernetes/migrations.yaml")}\n${page}`;

/** What `hebra` would refuse of a page. */
const refusals = (markdown: string) =>
  commandLinesOf(markdown).flatMap(({ line, args }) => {
    try {
      parseCommandLine(args);
      return [];
    } catch (error) {
      return [`${line}: ${error instanceof Error ? error.message : String(error)}`];
    }
  });

describe("the page of operations", () => {
  test("calls hebra as it can be called", () => {
    assert.deepEqual(refusals(page), []);
    const called = commandLinesOf(page).map(({ args }) => args[0]);
    for (const command of ["worker", "migrations", "drain", "stats", "dead-letters"])
      assert.ok(called.includes(command), command);
  });

  test("and a call that cannot be made is found, wherever in a line it stands", () => {
    const planted = [
      "hebra stat --config hebra.json",
      "docker compose exec worker hebra drain --dead-line 5",
      "A=b hebra dead-letters --replay",
      "hebra migrations apply",
    ];
    for (const line of planted) assert.equal(refusals(`\`\`\`sh\n${line}\n\`\`\`\n`).length, 1, line);
    assert.deepEqual(
      refusals("```sh\nnpm install hebra @hebra/thread # hebra is fine\nhebra stats --json | jq .\n```\n"),
      [],
    );
  });

  test("names files and objects that there are", () => {
    const files = [...everything.matchAll(/--(?:filename|kustomize) (deploy\/[\w./-]+)/g)].map(([, path]) => path!);
    assert.ok(files.length >= 4);
    for (const path of files) assert.ok(existsSync(join(root, path)), path);
    const objects = new Set(
      kubernetesManifests().map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`),
    );
    for (const [, object = ""] of everything.matchAll(/\b((?:deployment|job)\/[\w-]+)/g))
      assert.ok(objects.has(object), object);
    const { services } = composeFile();
    for (const [, service = ""] of everything.matchAll(/docker compose (?:stop|exec|logs) (\w+)|--scale (\w+)=/g))
      if (service !== "") assert.ok(services[service] !== undefined, service);
    assert.match(page, /--scale worker=/);
  });

  test("installs what the app of deploy/ is run with, in its versions", () => {
    const { dependencies } = JSON.parse(readDeploy("app/package.json")) as { dependencies: Record<string, string> };
    const installed = /^npm install (.+)$/m
      .exec(shell)![1]!
      .split(" ")
      .map((each) => /^(@?[^@]+)(?:@(.+))?$/.exec(each)!.slice(1) as [string, string | undefined]);
    assert.deepEqual(installed.map(([name]) => name).sort(), Object.keys(dependencies).sort());
    const [{ catalog }] = yamlDocuments(readFileSync(join(root, "pnpm-workspace.yaml"), "utf8")) as [
      { catalog: Record<string, string> },
    ];
    for (const [name, version] of installed)
      if (version !== undefined) assert.ok(catalog[name]!.startsWith(`${version}.`), `${name} ${catalog[name]!}`);
  });

  test("names codes that there are", () => {
    const environment = /^(?:NAME|NAME_FILE|NODE_OPTIONS|PORT|ID|SIGTERM|SIGKILL|REDISCLI_AUTH)$/;
    const answersOfRedis = /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN)$/;
    const codes = [...page.matchAll(/`([A-Z][A-Z_]+)`/g)]
      .map(([, code]) => code!)
      .filter((code) => !environment.test(code) && !answersOfRedis.test(code));
    assert.ok(codes.length >= 5);
    for (const code of codes) assert.ok(Object.hasOwn(errorCodes, code), code);
  });

  test("tells of every check of the probes, and of no other", () => {
    const source = readFileSync(join(root, "packages/thread/src/runtime/health.ts"), "utf8");
    const checks = [.../checks: Record<([^,]+), HealthCheck>/.exec(source)![1]!.matchAll(/"([\w-]+)"/g)].map(
      ([, check]) => check!,
    );
    const told = [
      ...page.slice(page.indexOf("## Probes"), page.indexOf("## Draining")).matchAll(/^\| `([\w-]+)` +\|/gm),
    ].map(([, check]) => check!);
    assert.deepEqual(told.sort(), checks.sort());
  });

  test("has a runbook for each alert, and none without", () => {
    const [{ groups }] = yamlDocuments(readDeploy("alerts/hebra.yaml")) as [
      { groups: { rules: { annotations: { runbook: string } }[] }[] },
    ];
    const led = new Set(
      groups.flatMap(({ rules }) => rules.map(({ annotations }) => annotations.runbook.split("#")[1]!)),
    );
    assert.deepEqual(
      headingsOf(runbook)
        .filter((heading) => heading !== "runbook")
        .sort(),
      [...led].sort(),
    );
  });

  test("has a section for each fault of pnpm chaos, with what is seen and, where there is something to do, typed", () => {
    const sections = new Map(
      faults
        .split(/^### /m)
        .slice(1)
        .map((section) => [section.slice(0, section.indexOf("\n")), section] as const),
    );
    assert.deepEqual([...sections.keys()].sort(), [...faultParts].sort());
    // What needs nobody.
    const quiet = ["scripts-flushed", "published-twice"];
    for (const [name, section] of sections) {
      assert.match(section, /^\*\*See\*\*: /m, name);
      assert.equal(/^```sh\n\S/m.test(section), !quiet.includes(name), name);
    }
  });

  test("points to panels that the dashboard has", () => {
    const titles = new Set(
      (JSON.parse(readDeploy("dashboards/hebra.json")) as { panels: { title: string }[] }).panels.map(
        ({ title }) => title,
      ),
    );
    // Bold at the head of an entry of a list is the entry's name.
    const named = [
      ...page.slice(page.indexOf("## Upgrade"), page.indexOf("**Back**")).matchAll(/\*\*([A-Z][^*]+)\*\*/g),
      ...faults.replace(/\*\*(?:See|Do|Check)\*\*/g, "").matchAll(/\*\*([A-Z][^*]+)\*\*/g),
      ...runbook.replace(/^- \*\*[^*]+\*\*/gm, "").matchAll(/\*\*([A-Z][^*]+)\*\*/g),
    ].map(([, name]) => name!.replace(/\s+/g, " "));
    assert.ok(named.length >= 10);
    for (const name of named) assert.ok(titles.has(name), name);
  });
});
