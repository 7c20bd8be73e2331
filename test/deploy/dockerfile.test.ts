import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { validate, ValidationSeverity } from "dockerfile-utils";
import { describe, test } from "vitest";
import { root } from "../../scripts/lib/paths.mjs";
import { deployPath, readDeploy } from "./support/files.ts";

const text = readDeploy("app/Dockerfile");

const strict = {
  deprecatedMaintainer: ValidationSeverity.ERROR,
  directiveCasing: ValidationSeverity.ERROR,
  emptyContinuationLine: ValidationSeverity.ERROR,
  instructionCasing: ValidationSeverity.ERROR,
  instructionCmdMultiple: ValidationSeverity.ERROR,
  instructionEntrypointMultiple: ValidationSeverity.ERROR,
  instructionHealthcheckMultiple: ValidationSeverity.ERROR,
  instructionJSONInSingleQuotes: ValidationSeverity.ERROR,
  instructionWorkdirRelative: ValidationSeverity.ERROR,
};

/** What is wrong with a Dockerfile: as it is written, and as an image of ours. */
function imageProblems(dockerfile: string): string[] {
  const problems = validate(dockerfile, strict).map(({ message }) =>
    typeof message === "string" ? message : message.value,
  );
  const lines = dockerfile.split("\n").filter((line) => !line.startsWith("#"));
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
  const bin = (
    JSON.parse(readFileSync(join(root, "packages/hebra/package.json"), "utf8")) as { bin: Record<string, string> }
  ).bin;
  const { engines } = JSON.parse(readFileSync(join(root, "packages/hebra/package.json"), "utf8")) as {
    engines: { node: string };
  };
  const [, wanted] = /(\d+)\./.exec(engines.node)!;
  for (const line of lines.filter((each) => each.startsWith("FROM ")))
    if (!line.startsWith(`FROM node:${wanted!}-slim`)) problems.push(`${line} is not the Node that Hebra is tested on`);
  if (!lines.some((line) => /^RUN npm ci --omit=dev/.test(line)))
    problems.push("it does not install from the lock file, without what is for development");
  if (!last.some((line) => /^USER [1-9]\d*/.test(line)))
    problems.push("it runs as root, or as a user whom Kubernetes cannot tell from root");
  if (!last.includes("ENV NODE_ENV=production")) problems.push("it does not say that it is production");
  const entry = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)?.[1];
  const [program = "", ...rest] = entry === undefined ? [] : (JSON.parse(entry) as string[]);
  if (rest.length > 0 || !Object.keys(bin).some((name) => program === `/app/node_modules/.bin/${name}`))
    problems.push("it does not start with hebra itself, which is to get the signals");
  for (const line of last.filter((each) => /^COPY (?!--from)/.test(each))) {
    for (const file of line.split(" ").slice(1, -1))
      if (!existsSync(deployPath(`app/${file}`))) problems.push(`there is no ${file} to copy`);
  }
  return problems;
}

test("the image is Node's slim one, installed from the lock file, and runs hebra as somebody who is not root", () => {
  assert.deepEqual(imageProblems(text), []);
});

describe("a check finds", () => {
  test.each([
    ["a misspelled instruction", "ENTRYPOINT", "ENTRYPOIN", /[Uu]nknown instruction/],
    [
      "a copy of one argument",
      "COPY package.json app.js telemetry.js ./",
      "COPY package.json",
      /COPY requires at least two arguments/,
    ],
    ["an image of another Node", "FROM node:20-slim\n", "FROM node:18-slim\n", /node:18-slim is not/],
    ["root", "USER 1000:1000\n", "", /runs as root/],
    ["a name that Kubernetes cannot judge", "USER 1000:1000", "USER node", /cannot tell from root/],
    ["an install of everything", "npm ci --omit=dev", "npm install", /lock file/],
    ["npm between the process and its signals", '["/app/node_modules/.bin/hebra"]', '["npx", "hebra"]', /signals/],
    ["a file that there is not", "app.js telemetry.js", "app.js metrics.js", /no metrics\.js/],
  ])("%s", (_title, from, to, expected) => {
    assert.ok(text.includes(from));
    assert.match(imageProblems(text.replace(from, to)).join("\n"), expected);
  });
});
