// Questions to the person at the terminal. They go to standard error, so that standard output holds results alone.

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CommandFailed } from './context.ts';

/** Whether there is a person to ask. */
export function isTerminal(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks for something that must not be shown while it is typed. @throws CommandFailed when the person gives up (Ctrl-C, Ctrl-D) */
export async function askSecret(question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await ask(question, silent);
  } finally {
    process.stderr.write('\n');
  }
}

/** Asks for a line of text. @throws CommandFailed when the person gives up */
export async function askText(question: string): Promise<string> {
  return (await ask(question, process.stderr)).trim();
}

/** Asks a question that is answered by `yes`; anything else is no. */
export async function confirm(question: string): Promise<boolean> {
  const answer = await ask(`${question} Type yes to go on: `, process.stderr);
  return answer.trim().toLowerCase() === 'yes';
}

function ask(question: string, output: NodeJS.WritableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    // The terminal stops echoing before the question is seen, not after: what is typed at once must not be shown either.
    const reader = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
    const giveUp = () => reject(new CommandFailed('Given up; nothing was changed.'));
    reader.once('SIGINT', () => reader.close());
    reader.once('close', giveUp);
    reader.once('line', (line) => {
      reader.off('close', giveUp);
      reader.close();
      resolve(line);
    });
    reader.setPrompt(output === process.stderr ? question : '');
    if (output === process.stderr) reader.prompt();
    else process.stderr.write(question);
  });
}
