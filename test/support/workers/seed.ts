import { seed, soak } from "@hebra/test-servers/sample";

/** Gives the samples of all workers one seed, and prints it. */
export function setup(): void {
  process.env["HEBRA_SEED"] = String(seed);
  console.log(soak ? "HEBRA_SOAK=1: every point is played" : `HEBRA_SEED=${seed}: repeats the samples of this run`);
}
