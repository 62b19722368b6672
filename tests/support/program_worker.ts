/** A Worker that attaches to a module and asks all questions that threads may ask at once. */
import { LoadedModule, type ModuleToken } from "../../mod.ts";
import { answersOf, definitionsOf, expectedOf, type Functions, type Program } from "./programs.ts";

/** The module, the questions, and the number of rounds. */
export interface ProgramOrder {
  readonly token: ModuleToken;
  readonly program: Program;
  readonly rounds: number;
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ProgramOrder>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data: { token, program, rounds } }) => {
  using module = LoadedModule.attach(token);
  const functions = module.bind(definitionsOf(program)).symbols as unknown as Functions;
  const expected = JSON.stringify(expectedOf(program));
  let right = 0;
  for (let round = 0; round < rounds; round++) {
    if (JSON.stringify(answersOf(program, functions)) === expected) right++;
  }
  scope.postMessage(right);
};
