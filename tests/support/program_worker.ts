/** A Worker that attaches itself to a module and asks it everything that may be asked at once. */
import { LoadedModule, type ModuleToken } from "../../mod.ts";
import { answersOf, definitionsOf, expectedOf, type Functions, type Program } from "./programs.ts";

/** Which module, what to ask it, and how often. */
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
