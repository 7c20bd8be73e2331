import { localPaths, occurrences, secretsIn, unwantedFiles } from "./patterns.ts";
import type { PackedManifest, Tarball } from "./tarball.ts";

/** Something that keeps a tarball from being published. */
export interface Problem {
  package: string;
  check: "protocol" | "path" | "secret" | "file" | "target" | "version" | "licence";
  /** The file, with its line or field. */
  where: string;
  message: string;
}

const BINARY = /\.(?:wasm|node|png|jpg|gif|ico|woff2?|gz|zip|br)$/;
const LOCAL_PROTOCOL = /^(?:file|link|workspace|portal|catalog|git|git\+\w+|https?):/;
const dependencyFields = ["dependencies", "peerDependencies", "optionalDependencies", "devDependencies"] as const;

/** Everything that is wrong with one packed package by itself. */
export function checkTarball(tarball: Tarball): Problem[] {
  const { manifest } = tarball;
  const found: Omit<Problem, "package">[] = [
    ...protocols(manifest),
    ...manifestPaths(manifest),
    ...targets(tarball),
    ...contents(tarball),
    ...licence(tarball),
    ...page(tarball),
  ];
  return found.map((problem) => ({ package: manifest.name, ...problem }));
}

/** What is wrong between packed packages: they share one version, and name each other by it. */
export function checkAlignment(tarballs: readonly Tarball[]): Problem[] {
  const versions = new Map(tarballs.map(({ manifest }) => [manifest.name, manifest.version]));
  const [first] = versions.values();
  return tarballs.flatMap(({ manifest }) => {
    const problems: Problem[] = [];
    if (manifest.version !== first)
      problems.push({
        package: manifest.name,
        check: "version",
        where: "package.json version",
        message: `is ${manifest.version} where others are ${first}`,
      });
    for (const [name, range] of Object.entries({
      ...manifest.peerDependencies,
      ...manifest.optionalDependencies,
      ...manifest.dependencies,
    })) {
      const wanted = versions.get(name);
      if (wanted !== undefined && range !== wanted && range !== `^${wanted}`) {
        problems.push({
          package: manifest.name,
          check: "version",
          where: `package.json dependencies ${name}`,
          message: `asks for ${range} where ${wanted} is packed`,
        });
      }
    }
    return problems;
  });
}

function protocols(manifest: PackedManifest): Omit<Problem, "package">[] {
  return dependencyFields.flatMap((field) =>
    Object.entries((manifest as unknown as Record<string, Record<string, string> | undefined>)[field] ?? {})
      .filter(([, range]) => LOCAL_PROTOCOL.test(range))
      .map(([name, range]) => ({
        check: "protocol" as const,
        where: `package.json ${field}.${name}`,
        message: `${range} does not come from the registry`,
      })),
  );
}

/** Every string of the manifest, keys included, with its place. */
function* strings(value: unknown, place: string): Generator<{ place: string; text: string }> {
  if (typeof value === "string") yield { place, text: value };
  else if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      yield { place, text: key };
      yield* strings(member, place === "" ? key : `${place}.${key}`);
    }
  }
}

function manifestPaths(manifest: PackedManifest): Omit<Problem, "package">[] {
  return [...strings(manifest, "")]
    .filter(({ text }) => /^(?:\/|~|[A-Za-z]:[\\/])/.test(text) || occurrences(text, localPaths).length > 0)
    .map(({ place, text }) => ({
      check: "path" as const,
      where: `package.json ${place}`,
      message: `${text} is a path of one machine`,
    }));
}

function targets({ manifest, files }: Tarball): Omit<Problem, "package">[] {
  const promised: [where: string, target: string][] = [];
  for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
    if (typeof target === "string") promised.push([`exports["${subpath}"]`, target]);
    else
      for (const [condition, file] of Object.entries(target))
        promised.push([`exports["${subpath}"].${condition}`, file]);
  }
  const bin = typeof manifest.bin === "string" ? { [manifest.name]: manifest.bin } : (manifest.bin ?? {});
  for (const [name, target] of Object.entries(bin)) promised.push([`bin.${name}`, target]);
  return promised
    .filter(([, target]) => !files.has(target.replace(/^\.\//, "")))
    .map(([where, target]) => ({
      check: "target" as const,
      where: `package.json ${where}`,
      message: `${target} is not in the tarball`,
    }));
}

function contents({ files }: Tarball): Omit<Problem, "package">[] {
  return [...files].flatMap(([path, data]) => {
    const problems: Omit<Problem, "package">[] = unwantedFiles
      .filter(({ expression }) => expression.test(path))
      .map(({ what }) => ({ check: "file" as const, where: path, message: `is ${what}` }));
    if (BINARY.test(path) || path === "package.json") return problems;
    const text = data.toString("utf8");
    for (const { what, match, line } of occurrences(text, localPaths))
      problems.push({ check: "path", where: `${path}:${line}`, message: `${match} is ${what}` });
    // What was found is not repeated: the report may be public.
    for (const { what, line } of secretsIn(text))
      problems.push({ check: "secret", where: `${path}:${line}`, message: `looks like ${what}` });
    return problems;
  });
}

function licence({ manifest, files }: Tarball): Omit<Problem, "package">[] {
  const problems: Omit<Problem, "package">[] = [];
  if (manifest.license !== "Apache-2.0")
    problems.push({ check: "licence", where: "package.json license", message: "is not Apache-2.0" });
  if (!files.has("LICENSE")) problems.push({ check: "licence", where: "LICENSE", message: "is not in the tarball" });
  return problems;
}

function page({ files }: Tarball): Omit<Problem, "package">[] {
  return files.has("README.md")
    ? []
    : [{ check: "file", where: "README.md", message: "is not in the tarball: the registry would show an empty page" }];
}
