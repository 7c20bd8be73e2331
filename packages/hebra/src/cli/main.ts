#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { main } from "@hebra/cli-kit";
import { program } from "./program.ts";

const version = () =>
  (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;

await main({ ...program, version });
