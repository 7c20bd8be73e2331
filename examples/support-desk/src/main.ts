import { replay } from "./replay.ts";

const report = await replay(process.argv[process.argv.indexOf("--data") + 1]!, (text) => process.stdout.write(text));
console.log(report);
