import { checkAlignment, checkTarball, type Problem } from "./check-tarball.ts";
import { readTarballs } from "./tarball.ts";

/** What a look into a directory of tarballs found. */
export interface Preflight {
  tarballs: { package: string; version: string; file: string; files: number; bytes: number }[];
  problems: Problem[];
}

/** Checks every tarball of a directory, and that they agree with each other. */
export function preflight(directory: string): Preflight {
  const tarballs = readTarballs(directory);
  if (tarballs.length === 0) throw new Error("There is no tarball to check.");
  return {
    tarballs: tarballs.map(({ manifest, file, files }) => ({
      package: manifest.name,
      version: manifest.version,
      file,
      files: files.size,
      bytes: [...files.values()].reduce((total, data) => total + data.length, 0),
    })),
    problems: [...tarballs.flatMap(checkTarball), ...checkAlignment(tarballs)],
  };
}

/** The findings as lines for a person. */
export function describePreflight({ tarballs, problems }: Preflight): string[] {
  return [
    ...tarballs.map(
      ({ file, files, bytes }) =>
        `  ${file.padEnd(36)}${String(files).padStart(5)} files ${(bytes / 1024).toFixed(0).padStart(7)} KiB`,
    ),
    ...problems.map((problem) => `  ${problem.package}: ${problem.where} ${problem.message} (${problem.check})`),
    problems.length === 0
      ? `${tarballs.length} tarballs checked, no problem`
      : `${tarballs.length} tarballs checked, problems: ${problems.length}`,
  ];
}
