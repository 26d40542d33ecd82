// A GET whose every header line is given, parsed; and an event stream that is read as it arrives.

import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';

export type RawAnswer = { status: number; headers: Record<string, string>; body: string };

/** Sends these bytes and reads until the answer is whole or the server closes. */
export function sendRaw(port: number, bytes: string): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
      const answer = parse(text);
      if (!answer.isWhole) return;
      socket.destroy();
      resolve(answer);
    });
    socket.on('error', reject);
    socket.on('close', () => (text === '' ? reject(new Error('closed without an answer')) : resolve(parse(text))));
  });
}

/** A GET with exactly these header lines. */
export const getRaw = (port: number, target: string, lines: readonly string[]): Promise<RawAnswer> =>
  sendRaw(port, `GET ${target} HTTP/1.1\r\n${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);

function parse(text: string): RawAnswer & { isWhole: boolean } {
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, Math.max(0, end)).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = end < 0 ? '' : text.slice(end + 4);
  const length = headers['content-length'];
  const isWhole = end >= 0 && length !== undefined && body.length >= Number(length);
  return { status: Number(first.split(' ')[1] ?? 0), headers, body, isWhole };
}

export type Stream = {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  /** Resolves at the first bytes. */
  opened: Promise<void>;
  /** Resolves with everything that was sent, once the server ends it. */
  ended: Promise<string>;
  close(): void;
};

/** Opens an event stream and follows it to its end. */
export function openStream(port: number, url: string, headers: Record<string, string>): Promise<Stream> {
  const target = new URL(url);
  const options = {
    host: '127.0.0.1',
    port,
    path: target.pathname,
    headers: { Host: target.host, ...headers },
    setHost: false,
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const request = httpRequest(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      const opened = new Promise<void>((go) => response.once('data', () => go()));
      const ended = new Promise<string>((go) => response.once('close', () => go(text)));
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', () => undefined);
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        ended,
        opened,
        close: () => request.destroy(),
      });
    });
    request.on('error', reject);
    request.end();
  });
}
