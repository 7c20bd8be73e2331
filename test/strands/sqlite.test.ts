import { sqliteStore } from "@hebra/thread/store/sqlite";
import { nothingStrands } from "./strands.fixture.ts";

nothingStrands("sqlite", () => sqliteStore({ path: ":memory:", synchronous: "NORMAL" }));
