/**
 * The state that the parts of the parser of C++ names share: substitutions, and arguments and parameters of templates.
 */
import { type Node, refuse } from "../printer.ts";
import { Cursor } from "./cursor.ts";
import { ArgumentPack, Parameter } from "./name_nodes.ts";

/** The state of one parse; the rules are in the classes below it. */
export abstract class ParserBase {
  protected readonly cursor: Cursor;
  /** The parts that later ones may repeat (5.1.10). */
  protected readonly substitutions: Node[] = [];
  constructor(text: string, start: number) {
    this.cursor = new Cursor(text, start);
  }

  protected abstract type(): Node;
  protected abstract expression(): Node;
  protected abstract primary(): Node;
  protected abstract encoding(): Node;

  /** Runs a rule that may contain itself. */
  protected nested<T>(rule: () => T): T {
    this.cursor.budget.enter();
    const result = rule();
    this.cursor.budget.leave();
    return result;
  }

  /** Remembers a part for later ones. */
  protected remember<T extends Node>(node: T): T {
    this.substitutions.push(node);
    return node;
  }

  /** `S_`, `S0_`: a part that was remembered. */
  protected substitution(): Node {
    this.cursor.expect("S");
    return this.substitutions[this.cursor.sequence(36)] ?? refuse();
  }

  /** `T_`, `T0_`: a parameter of a template. */
  protected templateParameter(): Parameter {
    this.cursor.expect("T");
    return new Parameter(this.cursor.sequence(10));
  }

  /** `I … E`: arguments. */
  protected templateArguments(): readonly Node[] {
    this.cursor.expect("I");
    const args: Node[] = [];
    while (!this.cursor.take("E")) args.push(this.nested(() => this.templateArgument()));
    return args;
  }

  protected templateArgument(): Node {
    switch (this.cursor.peek()) {
      case "X": {
        this.cursor.skip(1);
        const expression = this.expression();
        this.cursor.expect("E");
        return expression;
      }
      case "L":
        return this.primary();
      case "I":
      case "J": {
        this.cursor.skip(1);
        const nodes: Node[] = [];
        while (!this.cursor.take("E")) nodes.push(this.nested(() => this.templateArgument()));
        return new ArgumentPack(nodes);
      }
      default:
        return this.type();
    }
  }
}
