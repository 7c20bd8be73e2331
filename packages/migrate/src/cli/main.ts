#!/usr/bin/env node
import { main } from "@hebra/cli-kit";
import { program } from "./program.ts";

await main(program);
