import pg from "pg";
import type { TestProject } from "vitest/node";
import { databaseOf } from "./names.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Names the databases of this run; absent without `DATABASE_URL`. */
    databases?: string;
  }
}

const url = process.env["DATABASE_URL"];
const run = `hebra_test_${process.pid}`;
let names: string[] = [];

/** Creates a PostgreSQL database for each worker on the server of `DATABASE_URL`. */
export async function setup(project: TestProject): Promise<void> {
  if (url === undefined) return;
  names = Array.from({ length: project.vitest.config.maxWorkers }, (_, i) => databaseOf(run, i + 1));
  await onServer(url, (name) => `CREATE DATABASE ${name}`);
  project.provide("databases", run);
}

/** Drops them, whoever is still connected. */
export async function teardown(): Promise<void> {
  if (url !== undefined) await onServer(url, (name) => `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}

async function onServer(connectionString: string, statement: (name: string) => string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    for (const name of names) await client.query(statement(name));
  } finally {
    await client.end();
  }
}
