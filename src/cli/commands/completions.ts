/**
 * `smf completions`: scripts with which shells complete commands and options.
 */
import type { Command, Output } from "../terminal/command.ts";
import { ExitCode, UsageError } from "../terminal/command.ts";
import { readOptions } from "../terminal/options.ts";

/** A command as completions know it. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  /** The text of `--help`, which has the options. */
  readonly help: string;
}

const HELP = `smf completions <bash | zsh | fish>

Prints a script with which the shell completes commands, options and files.

  --color WHEN        auto (default), always or never; the script has no colours

Exit codes: 0 success, 2 wrong usage.

Examples:
  smf completions bash > ~/.local/share/bash-completion/completions/smf
  smf completions zsh > ~/.zfunc/_smf
  smf completions fish > ~/.config/fish/completions/smf.fish`;

/** The command, for the commands of the program. */
export function completionsOf(load: () => Promise<readonly CompletedCommand[]>): Command {
  return {
    help: HELP,
    async run(args: readonly string[], output: Output): Promise<number> {
      const { rest: [shell, ...more] } = readOptions(args, {}, output);
      const script = shell !== undefined && Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
      if (script === undefined || more.length > 0) {
        throw new UsageError(`name one shell: ${Object.keys(SCRIPTS).join(", ")}`);
      }
      for (const line of script(await load()).trimEnd().split("\n")) output.print(line);
      return ExitCode.OK;
    },
  };
}

const SCRIPTS: Readonly<Record<string, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The long options at the beginnings of lines of a help text, in order. */
function optionsOf({ help }: CompletedCommand): string[] {
  const lines = help.split("\n").filter((line) => /^ {2}(?:-\w, )?--/.test(line));
  const found = lines.flatMap((line) => line.trim().split(/ {2,}/)[0].match(/--[a-z][a-z-]*/gi) ?? []);
  return [...new Set([...found, "--help"])];
}

function bashScript(commands: readonly CompletedCommand[]): string {
  const cases = commands.map((command) =>
    `    ${command.name}) options="${optionsOf(command).join(" ")}" ;;`
  );
  return `# Completions of smf for bash; smf completions bash wrote them.
_smf() {
  local word="\${COMP_WORDS[COMP_CWORD]}" options=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} help --help --version" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
    help) COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")}" -- "$word")); return ;;
${cases.join("\n")}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _smf smf
`;
}

function zshScript(commands: readonly CompletedCommand[]): string {
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = commands.map((command) =>
    `    ${command.name}) options=(${optionsOf(command).join(" ")}) ;;`
  );
  return `#compdef smf
# Completions of smf for zsh; smf completions zsh wrote them.
_smf() {
  local -a commands options
  commands=(
${described.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "$words[2]" in
    help) _describe command commands; return ;;
${cases.join("\n")}
  esac
  if [[ "$PREFIX" == -* ]]; then
    compadd -- $options
  else
    _files
  fi
}
if [[ "$funcstack[1]" == _smf ]]; then _smf "$@"; else compdef _smf smf; fi
`;
}

function fishScript(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c smf -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.summary)}`,
    ...optionsOf(command).map((option) =>
      `complete -c smf -n '__fish_seen_subcommand_from ${command.name}' -l ${option.slice(2)}`
    ),
  ]);
  return `# Completions of smf for fish; smf completions fish wrote them.\n${lines.join("\n")}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\\\''")}'`;
}
