import { movesWhole } from "./move-whole.fixture.ts";

movesWhole("postgres");
