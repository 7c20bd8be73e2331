import { shared } from "@hebra/test-servers/shared";
import { readRecordings, type Recording } from "./providers.fixture.ts";

const suite = shared("suites/provider-streams");

/** Whether the recordings are there. */
export const present = suite.present;

export const recordings = (): Recording[] => (suite.present ? readRecordings(suite.path) : []);
