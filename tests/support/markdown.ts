/** A reader of as much Markdown as the tests of the documentation need. */
import { fromFileUrl, join } from "@std/path";

export const ROOT: string = fromFileUrl(new URL("../..", import.meta.url));

/** A fenced code block. */
export interface CodeBlock {
  readonly language: string;
  readonly text: string;
}

/** A document and its parts. */
export class Markdown {
  /** The path relative to the repository. */
  readonly path: string;
  readonly text: string;
  /** The text without its fenced blocks. */
  readonly prose: string;
  readonly blocks: readonly CodeBlock[];

  constructor(path: string) {
    this.path = path;
    this.text = Deno.readTextFileSync(join(ROOT, path)).replaceAll("\r\n", "\n");
    const fence = /^```(.*)\n([^]*?)^```$/gm;
    this.blocks = [...this.text.matchAll(fence)].map(([, language, text]) => ({ language, text }));
    this.prose = this.text.replace(fence, "");
  }

  /** The anchors of headings, as GitHub makes them. */
  anchors(): string[] {
    return [...this.prose.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    );
  }

  /** The targets of links. */
  links(): string[] {
    const inline = [...this.prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
    const named = [...this.prose.matchAll(/^\[[^\]]+\]: (\S+)$/gm)].map(([, target]) => target);
    return [...inline, ...named];
  }

  /** The text of code spans. */
  spans(): string[] {
    return [...this.prose.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text);
  }

  /** The text under a heading, up to the next one. */
  section(title: string): string {
    const parts = this.prose.split(/^#+ /m);
    const found = parts.find((part) => part.startsWith(`${title}\n`));
    if (found === undefined) throw new Error(`${this.path} has no heading '${title}'`);
    return found;
  }

  /** The rows of the first table under a heading, by the names of its columns, without backticks. */
  table(title: string): Record<string, string>[] {
    const lines = this.section(title).split("\n").filter((line) => line.startsWith("|"));
    const cells = (line: string) =>
      line.split("|").slice(1, -1).map((cell) => cell.replaceAll("`", "").trim());
    const [head, , ...rows] = lines.map(cells);
    return rows.map((row) => Object.fromEntries(head.map((name, index) => [name, row[index]])));
  }
}

/** All documents of the repository. */
export function documents(): Markdown[] {
  const inFolder = (folder: string) =>
    [...Deno.readDirSync(join(ROOT, folder))].filter(({ name }) => name.endsWith(".md"))
      .map(({ name }) => folder === "." ? name : `${folder}/${name}`);
  const examples = [...Deno.readDirSync(join(ROOT, "examples"))].flatMap(({ name }) =>
    inFolder(`examples/${name}`)
  );
  return [...inFolder("."), ...inFolder("docs"), ...examples].toSorted().map((path) => new Markdown(path));
}
