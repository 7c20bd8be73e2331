import { run } from "../lib/run.mjs";

/** Builds every package and packs it into a directory. */
export async function buildAndPack(directory: string, say: (line: string) => void): Promise<void> {
  const each = ["-r", "--filter", "./packages/*"];
  say("building every package");
  const built = await run("pnpm", [...each, "run", "build"], { output: "capture" });
  if (!built.ok) throw new Error(`The build failed:\n${built.output}`);
  say("packing every package");
  const packed = await run("pnpm", [...each, "pack", "--pack-destination", directory], { output: "capture" });
  if (!packed.ok) throw new Error(`Packing failed:\n${packed.output}`);
}
