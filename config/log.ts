import pino, { type Logger } from 'pino';

/**
 * JSON lines on standard output. To a terminal they go at once; to a file or another process in blocks, at
 * least once a second and when the process ends, so that no request waits for its line to be written.
 *
 * @param shared whether other processes write to the same place: then blocks are no longer than what a pipe takes in
 *   one piece (PIPE_BUF of Linux), so that no line has one of theirs in the middle
 */
export function createLog(level: string, shared = false): Logger {
  const atOnce = process.stdout.isTTY;
  const block = shared
    ? { minLength: 3072, maxWrite: 4096 }
    : { minLength: 32_768, maxWrite: 65_536 };
  const destination = pino.destination({
    fd: 1,
    sync: atOnce,
    ...(atOnce ? {} : { ...block, periodicFlush: 1000 }),
  });
  return pino({ level }, destination);
}
