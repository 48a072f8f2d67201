import { parseArgs, type ParseArgsConfig } from 'node:util';
import { messageOf } from './base/errors.ts';
import { commands, type Command } from './commands.ts';
import { type ExitCode, exitOn } from './exit.ts';

await exitOn(() => runCommand(process.argv.slice(2)));

async function runCommand(args: string[]): Promise<ExitCode> {
  const command = commands.find((c) => c.name.split(' ').every((word, i) => args[i] === word));
  if (!command) {
    const asked = args.length === 0 || args.includes('--help') || args.includes('-h');
    const lines = ['Usage: karani COMMAND', '', ...commands.map(summaryLine), ''];
    const text = `${lines.join('\n')}\nkarani COMMAND --help says more.\n`;
    if (asked) process.stdout.write(text);
    else process.stderr.write(`There is no command "${args.join(' ')}".\n\n${text}`);
    return asked ? 0 : 2;
  }
  const parsed = readArguments(command, args.slice(command.name.split(' ').length));
  if (parsed === 'help') {
    process.stdout.write(`Usage: ${usage(command)}\n\n${command.summary}\n`);
    return 0;
  }
  if (typeof parsed === 'string') {
    process.stderr.write(`${parsed}\nUsage: ${usage(command)}\n`);
    return 2;
  }
  return (await command.run(parsed.values, parsed.positionals)) ?? 0;
}

function readArguments(command: Command, args: string[]) {
  const options: ParseArgsConfig['options'] = {
    ...command.options,
    help: { type: 'boolean', short: 'h' },
  };
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    if (values['help']) return 'help' as const;
    const wanted = command.positionals?.length ?? 0;
    if (positionals.length !== wanted) {
      return wanted === 0
        ? `Too much: ${positionals.join(' ')}`
        : `Expected: ${command.positionals?.join(' ')}`;
    }
    return { values, positionals };
  } catch (error) {
    return messageOf(error);
  }
}

function usage(command: Command): string {
  const options = Object.entries(command.options ?? {}).map(([name, option]) =>
    option.type === 'boolean' ? `[--${name}]` : `[--${name} ${name.toUpperCase()}]`,
  );
  return ['karani', command.name, ...(command.positionals ?? []), ...options].join(' ');
}

function summaryLine(command: Command): string {
  return `  ${command.name.padEnd(22)} ${command.summary}`;
}
