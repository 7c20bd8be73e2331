import { copiesFrom } from "./transfer.pairs.fixture.ts";

copiesFrom("postgres");
