/**
 * The order in which modules that are loaded together start: those that others import from come
 * first, whatever the order in which they were named, as with shared libraries.
 */

import type { Exporter } from "./reload/exports.ts";

/** Notes which modules of a group each of them imports from. */
export class StartOrder {
  /** The positions that each position imports from. */
  readonly #providers: Set<number>[] = [];

  /** Returns the exports of a group's modules, as the module at a position sees them. */
  watch<Group extends { readonly exports: Exporter }>(importer: number, group: readonly Group[]): Group[] {
    const used = this.#providers[importer] = new Set<number>();
    return group.map((member, position) => ({
      ...member,
      exports: {
        find: (name: string) => {
          const found = member.exports.find(name);
          if (found !== undefined) used.add(position);
          return found;
        },
        findThreadLocal: (name: string) => {
          const found = member.exports.findThreadLocal(name);
          if (found !== undefined) used.add(position);
          return found;
        },
        names: () => member.exports.names(),
      },
    }));
  }

  /**
   * Returns the positions in the order in which the modules start. Modules that do not depend on each
   * other keep their order, and so do those of a circle.
   */
  positions(): number[] {
    // Tarjan's algorithm, which finds circles in the order of dependence. It has a stack of its own,
    // since a chain of modules may be longer than the stack of calls.
    const order: number[] = [];
    const found: number[] = [];
    const low: number[] = [];
    const open: number[] = [];
    const done = new Set<number>();
    let count = 0;
    const path: { position: number; rest: number[] }[] = [];
    const enter = (position: number): void => {
      found[position] = low[position] = count++;
      open.push(position);
      // Taken from the end, so that the first provider starts first.
      path.push({ position, rest: [...this.#providers[position]].sort((a, b) => b - a) });
    };
    const lower = (position: number, to: number): void => {
      low[position] = Math.min(low[position], to);
    };
    for (let first = 0; first < this.#providers.length; first++) {
      if (found[first] === undefined) enter(first);
      for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
        const { position, rest } = top;
        const next = rest.pop();
        if (next !== undefined) {
          if (found[next] === undefined) enter(next);
          else if (!done.has(next)) lower(position, found[next]);
          continue;
        }
        path.pop();
        if (path.length > 0) lower(path[path.length - 1].position, low[position]);
        if (low[position] !== found[position]) continue;
        const circle = open.splice(open.lastIndexOf(position)).sort((a, b) => a - b);
        for (const member of circle) done.add(member);
        order.push(...circle);
      }
    }
    return order;
  }
}
