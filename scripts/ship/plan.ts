import type { Changeset } from "./changesets.ts";
import { atLeast, beta, newest, release, type Level } from "./version.ts";

/** What may be shipped: a level, or a beta of whatever the changesets ask for. */
export const verbs = ["patch", "minor", "major", "beta"] as const;

/** What is shipped. */
export type Verb = (typeof verbs)[number];

/** One thing that shipping does. */
export interface Step {
  title: string;
  command: string;
}

/** What a release would be. */
export interface ReleasePlan {
  verb: Verb;
  /** The level that the changesets ask for. */
  asked: Level;
  version: string;
  packages: { name: string; from: string; to: string }[];
  changesets: string[];
}

/** A plan, or the reason why there is none. */
export type PlanResult = { ok: true; plan: ReleasePlan } | { ok: false; reason: string };

/**
 * Plans a release of all packages together: they form one fixed group and share one version.
 *
 * @param packages - in the order in which they are published
 */
export function planRelease(
  verb: Verb,
  packages: readonly { name: string; version: string }[],
  changesets: readonly Changeset[],
): PlanResult {
  const known = new Set(packages.map(({ name }) => name));
  const stranger = changesets.flatMap(({ id, releases }) =>
    releases.filter(({ name }) => !known.has(name)).map(({ name }) => `.changeset/${id}.md names ${name}`),
  )[0];
  if (stranger !== undefined)
    return { ok: false, reason: `${stranger}, which is not a published package. Correct the name.` };

  const asked = changesets
    .flatMap(({ releases }) => releases)
    .reduce<{ level: Level; by: string } | undefined>(
      (most, { level }) =>
        most !== undefined && atLeast(most.level, level) ? most : { level, by: sourceOf(changesets, level) },
      undefined,
    );
  if (asked === undefined)
    return {
      ok: false,
      reason: "There is nothing to release: no changeset names a package. Describe the change with `pnpm changeset`.",
    };
  if (verb !== "beta" && !atLeast(verb, asked.level)) {
    return {
      ok: false,
      reason: `The changesets ask for a ${asked.level} release (.changeset/${asked.by}.md), and ${verb} is less. Run ship:${asked.level}.`,
    };
  }

  const current = packages.map(({ version }) => version).reduce(newest);
  const version = verb === "beta" ? beta(current, asked.level) : release(current, verb);
  return {
    ok: true,
    plan: {
      verb,
      asked: asked.level,
      version,
      packages: packages.map(({ name, version: from }) => ({ name, from, to: version })),
      changesets: changesets.map(({ id }) => id),
    },
  };
}

function sourceOf(changesets: readonly Changeset[], level: Level): string {
  return changesets.find(({ releases }) => releases.some((entry) => entry.level === level))?.id ?? "";
}

/** What shipping would do, in order. */
export function stepsOf(plan: ReleasePlan): Step[] {
  const tag = plan.verb === "beta" ? "beta" : "latest";
  const steps: Step[] = [
    {
      title: "Check that the branch is main, in step with its remote, and the tree clean",
      command: "git status --porcelain --branch",
    },
    { title: "Run everything that has to hold", command: "pnpm verify" },
  ];
  if (plan.verb === "beta")
    steps.push({ title: "Count versions as betas", command: "pnpm exec changeset pre enter beta" });
  else if (plan.verb !== plan.asked)
    steps.push({
      title: `Raise the level from ${plan.asked} to ${plan.verb}`,
      command: `write .changeset/raise-to-${plan.verb}.md`,
    });
  steps.push(
    { title: `Set every package to ${plan.version} and write the changelogs`, command: "pnpm exec changeset version" },
    { title: "Bring the lockfile in step", command: "pnpm install --lockfile-only" },
    { title: "Commit", command: `git commit --all --message "Release ${plan.version}"` },
    { title: "Tag", command: `git tag v${plan.version}` },
    { title: "Build every package", command: "pnpm build" },
    { title: "Pack every package", command: "pnpm -r --filter './packages/*' pack" },
    { title: "Check what the tarballs hold", command: "pnpm preflight" },
    ...plan.packages.map(({ name, to }) => ({
      title: `Publish ${name}`,
      command: `npm publish ${tarballName(name, to)} --tag ${tag} --access public --provenance`,
    })),
    { title: "Push the commit and the tag", command: `git push origin main v${plan.version}` },
  );
  return steps;
}

/** The file name that packing gives a package. */
export function tarballName(name: string, version: string): string {
  return `${name.replace(/^@/, "").replace("/", "-")}-${version}.tgz`;
}

/** Puts each package after those that it depends on, so that none is published before what it needs. */
export function publishOrder<P extends { name: string; dependencies: readonly string[] }>(packages: readonly P[]): P[] {
  const byName = new Map(packages.map((entry) => [entry.name, entry]));
  const ordered = new Set<P>();
  const visit = (entry: P): void => {
    if (ordered.has(entry)) return;
    for (const name of entry.dependencies) {
      const dependency = byName.get(name);
      if (dependency !== undefined) visit(dependency);
    }
    ordered.add(entry);
  };
  packages.forEach(visit);
  return [...ordered];
}
